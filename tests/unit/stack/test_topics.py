"""What is wrong with the topics, and what is remembered of them."""

from __future__ import annotations

import time
from pathlib import Path

from neonblue.stack.services.inside.kafka_topics import Present
from neonblue.stack.services.stream_memory import FILE, StreamMemory
from neonblue.stack.services.templates import Topic
from neonblue.stack.services.topics import lost, wrongs

WANTED = (Topic("events", 3, {}), Topic("offsets", 1, {}))
KNOWN = {"events": "a", "offsets": "b"}


def test_topics_as_they_were_are_right() -> None:
    present = {"events": Present("a", 3), "offsets": Present("b", 1)}
    assert wrongs(WANTED, present, KNOWN) == []
    assert lost(KNOWN, present) == []


def test_a_topic_that_is_gone_or_another_of_the_same_name_is_lost() -> None:
    present = {"events": Present("other", 3)}
    assert wrongs(WANTED, present, KNOWN) == [
        "the topic events is not the one that was there before",
        "the topic offsets is gone",
    ]
    assert lost(KNOWN, present) == ["events", "offsets"]


def test_a_topic_with_too_few_partitions_is_wrong_but_not_lost() -> None:
    present = {"events": Present("a", 1), "offsets": Present("b", 1)}
    assert wrongs(WANTED, present, KNOWN) == ["the topic events has 1 partitions"]
    assert lost(KNOWN, present) == []


def test_at_the_first_start_nothing_is_lost() -> None:
    assert lost({}, {"events": Present("a", 3)}) == []


def test_what_is_to_be_repaired_outlives_the_process_and_ends_with_its_own_repair(tmp_path: Path) -> None:
    StreamMemory(tmp_path).topics_are(KNOWN)
    StreamMemory(tmp_path).repair("a topic was deleted")
    memory = StreamMemory(tmp_path)
    begun = memory.read().to_repair
    memory.repair("a view was dropped")
    memory.repaired(begun)

    assert reasons(memory) == ["a view was dropped"]
    assert memory.read().topics == KNOWN
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    memory = StreamMemory(tmp_path)
    assert memory.read().to_repair == ()
    memory.repair("why")
    assert reasons(memory) == ["why"]


def test_what_happens_again_during_a_repair_outlives_it_and_is_one_entry(tmp_path: Path) -> None:
    memory = StreamMemory(tmp_path)
    memory.repair("why")
    begun = memory.read().to_repair
    time.sleep(0.01)
    memory.repair("why")
    memory.repaired(begun)

    assert reasons(memory) == ["why"]
    memory.repaired(memory.read().to_repair)
    assert reasons(memory) == []


def reasons(memory: StreamMemory) -> list[str]:
    """Without their times."""
    return [noted.partition(",")[0] for noted in memory.read().to_repair]
