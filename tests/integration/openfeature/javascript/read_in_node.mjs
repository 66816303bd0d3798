// Reads flags with Node's SDK as a test says on the standard input; prints what each reading gave.
import { readFileSync } from 'node:fs';
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { exposures } from './exposures.mjs';
import { startFlags } from './server.mjs';

const { baseUrl, token, plain = false, hooked = false, readings } = JSON.parse(readFileSync(0, 'utf8'));
const requests = [];
const send = globalThis.fetch;
globalThis.fetch = async (...given) => {
  const answer = await send(...given);
  requests.push(new URL(answer.url).pathname);
  return answer;
};

let flags;
if (plain) {
  const headers = [['Authorization', `Bearer ${token}`]];
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl, headers }));
  flags = OpenFeature.getClient();
} else {
  flags = await startFlags({ baseUrl, token });
}
const hook = exposures({ baseUrl, token });
if (hooked) flags.addHooks(hook);
const results = [];
for (const { type, flag, fallback, context } of readings) {
  results.push(await flags[`get${type}Details`](flag, fallback, context));
}
await hook.settled();
console.log(JSON.stringify({ results, requests, counts: hook.counts }));
