"""An alert by mail says what it says elsewhere: by the protocol, to a server that keeps what it is given."""

from __future__ import annotations

import email
import email.policy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer

from pydantic import SecretStr

from neonblue.alerting import Alert, Severity
from neonblue.alerting.delivery import deliver

BODY = "events < 5 & rising: 'a<b>' is refused\nneonblue logs api\nIn /srv/neonblue"
REPLIES = {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}


@contextmanager
def mail_server() -> Iterator[tuple[int, list[bytes]]]:
    """Its port, and the messages that it has taken (SMTP, RFC 5321, without extensions)."""
    taken: list[bytes] = []

    class Session(StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 mail.example.com\r\n")
            while line := self.rfile.readline():
                word = line[:4].upper().strip()
                self.wfile.write(REPLIES.get(word, b"250 ok\r\n"))
                if word == b"QUIT":
                    return
                if word == b"DATA":
                    taken.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                    self.wfile.write(b"250 ok\r\n")

    with ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], taken
        server.shutdown()


def test_a_mail_keeps_its_lines_and_every_character() -> None:
    with mail_server() as (port, taken):
        address = f"mailto://127.0.0.1:{port}?from=neonblue@example.com&to=ops@example.com&mode=insecure"
        deliver([SecretStr(address)], Alert("stack/api", "NeonBlue: api", BODY, Severity.FAILURE))

    (message,) = (email.message_from_bytes(one, EmailMessage, policy=email.policy.default) for one in taken)
    assert (message["subject"], message["to"]) == ("NeonBlue: api", "ops@example.com")
    plain, html = (message.get_body([kind]) for kind in ("plain", "html"))
    assert plain is not None
    assert plain.get_content().splitlines() == BODY.splitlines()
    if html is not None:
        assert "<br" in html.get_content()
        assert "a<b>" not in html.get_content()
