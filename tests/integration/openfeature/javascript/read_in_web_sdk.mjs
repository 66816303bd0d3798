// Reads flags with the web SDK as a test says on the standard input; prints what each reading gave.
import { readFileSync } from 'node:fs';

const { origin, steps = [], kept, refused, away, ...given } = JSON.parse(readFileSync(0, 'utf8'));
const JSON_TYPE = { 'Content-Type': 'application/json' };
const requests = [];
const send = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const request = new Request(input, init);
  request.headers.set('Origin', origin); // as a browser does
  const path = new URL(request.url).pathname;
  requests.push(path);
  if (path === '/v1/assignments' && refused) request.headers.set('Authorization', 'Bearer wrong');
  if (path === '/v1/assignments' && away) throw new TypeError('fetch failed');
  if (path.endsWith('/flags') && kept) return new Response(JSON.stringify(keptFlags()), { headers: JSON_TYPE });
  return send(request);
};

/** An answer from before, as a page's own cache gives it. */
function keptFlags() {
  return { flags: Object.entries(kept).map(([key, variant]) => ({ key, variant, value: variant, reason: 'SPLIT' })) };
}

const { startFlags } = await import('./web.mjs');
const { OpenFeature } = await import('@openfeature/web-sdk');
const { flags, hook } = await startFlags(given);
const results = [];
for (const { context, type, flag, fallback } of steps) {
  if (context) await OpenFeature.setContext(context);
  else results.push(flags[`get${type}Details`](flag, fallback));
}
await hook.settled();
console.log(JSON.stringify({ results, requests, counts: hook.counts }));
await OpenFeature.close();
