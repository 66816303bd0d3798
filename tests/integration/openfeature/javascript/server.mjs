import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';

/** A unit outside the experiment is answered without a value, which ofrep-provider 0.1 takes for an error. */
export class NeonBlueProvider extends OFREPProvider {
  #answers;

  constructor({ baseUrl, token }) {
    const answers = new WeakMap();
    const fetchImplementation = async (request) => {
      const response = await fetch(request);
      answers.set(response, await response.clone().json().catch(() => undefined));
      return response;
    };
    super({ baseUrl, headers: [['Authorization', `Bearer ${token}`]], fetchImplementation });
    this.#answers = answers;
  }

  async #orDefault(resolution, value) {
    try {
      return await resolution;
    } catch (error) {
      const answer = this.#answers.get(error.response);
      if (error.response?.status !== 200 || answer === undefined || 'value' in answer) throw error;
      return { value, variant: answer.variant, reason: answer.reason, flagMetadata: answer.metadata };
    }
  }

  resolveBooleanEvaluation(flag, value, context) {
    return this.#orDefault(super.resolveBooleanEvaluation(flag, value, context), value);
  }

  resolveStringEvaluation(flag, value, context) {
    return this.#orDefault(super.resolveStringEvaluation(flag, value, context), value);
  }

  resolveNumberEvaluation(flag, value, context) {
    return this.#orDefault(super.resolveNumberEvaluation(flag, value, context), value);
  }

  resolveObjectEvaluation(flag, value, context) {
    return this.#orDefault(super.resolveObjectEvaluation(flag, value, context), value);
  }
}

export async function startFlags({ baseUrl, token }) {
  await OpenFeature.setProviderAndWait(new NeonBlueProvider({ baseUrl, token }));
  return OpenFeature.getClient();
}
