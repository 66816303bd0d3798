/**
 * An OpenFeature hook: a flag that is read is an exposure. For SDKs in browsers and in Node.
 *
 * Sends one request for each flag and unit, with the attributes of the evaluation context. Nothing waits for it and
 * nothing of it reaches the reader of the flag; `report` is told what went wrong, and `counts` how often.
 */
export function exposures({ baseUrl, token, report = console.warn, remember = 10_000, pauses = [1_000, 5_000, 25_000] }) {
  const counts = { sent: 0, different: 0, failed: 0 };
  const known = new Set();
  const underWay = new Set();

  async function post(body) {
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
    for (const pause of [...pauses, undefined]) {
      try {
        const answer = await fetch(`${baseUrl}/v1/assignments`, { method: 'POST', headers, body, keepalive: true });
        const said = await answer.json();
        if (answer.ok ? said.durable !== false : answer.status < 500 && answer.status !== 429) return { answer, said };
      } catch {
        // Not reached, or cut short: once more.
      }
      if (pause !== undefined) await new Promise((resolve) => setTimeout(resolve, pause));
    }
    return undefined; // nobody answered
  }

  async function expose(name, flag, unit, attributes, shown) {
    const request = { experiment: flag, user_id: unit, attributes, expose: true, shown_variant: shown };
    const reply = await post(JSON.stringify(request));
    if (reply === undefined) {
      known.delete(name); // the next reading tries again
      counts.failed += 1;
      report(`The exposure to ${flag} could not be sent`);
    } else if (!reply.answer.ok) {
      counts.failed += 1;
      report(`The exposure to ${flag} was refused: ${reply.said.detail}`);
    } else if (reply.said.served_by) {
      known.delete(name); // the experiment does not run: nothing was recorded
    } else {
      counts.sent += 1;
      if (reply.said.variant_key !== shown) {
        counts.different += 1;
        report(`${flag}: ${shown} was shown, the unit has ${reply.said.variant_key}`);
      }
    }
  }

  return {
    counts,
    after(hookContext, details) {
      const { targetingKey, ...attributes } = hookContext.context;
      if (!targetingKey || !details.variant || details.flagMetadata?.served_by) return; // no unit of the experiment
      const name = JSON.stringify([hookContext.flagKey, targetingKey]);
      if (known.has(name)) return;
      if (known.size >= remember) known.delete(known.values().next().value);
      known.add(name);
      const sending = expose(name, hookContext.flagKey, targetingKey, attributes, details.variant)
        .catch((error) => {
          counts.failed += 1; // such as attributes that are no JSON
          report(`The exposure to ${hookContext.flagKey} failed: ${error}`);
        })
        .finally(() => underWay.delete(sending));
      underWay.add(sending);
    },
    /** Resolves once everything that was read so far is sent: before a process ends. */
    async settled() {
      await Promise.all(underWay);
    },
  };
}
