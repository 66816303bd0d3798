from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext


def start_flags(base_url: str, token: str) -> OpenFeatureClient:
    headers = {"Authorization": f"Bearer {token}"}
    api.set_provider(OFREPProvider(base_url, headers_factory=lambda: headers))
    return api.get_client()


def colour_for(flags: OpenFeatureClient, user_id: str, country: str) -> str:
    context = EvaluationContext(user_id, {"country": country})
    return flags.get_string_value("button-colour", "blue", context)
