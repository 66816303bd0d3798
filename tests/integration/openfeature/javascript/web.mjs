import { OpenFeature } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { exposures } from './exposures.mjs';

/** token: a publishable one that names this page's origin. attributes: what targeting reads. hookOptions: `report`, … */
export async function startFlags({ baseUrl, token, userId, attributes = {}, hookOptions = {} }) {
  const hook = exposures({ baseUrl, token, ...hookOptions });
  OpenFeature.addHooks(hook);
  await OpenFeature.setContext({ targetingKey: userId, ...attributes });
  const headers = [['Authorization', `Bearer ${token}`]];
  await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl, headers, cacheMode: 'network-first' }));
  return { flags: OpenFeature.getClient(), hook };
}
