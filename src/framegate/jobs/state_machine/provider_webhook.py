"""Address of the inbound webhook that a provider is given with an order."""

PATH = "/providers/{provider}/{account}/webhook"


def provider_webhook_url(public_url: str, provider: str, account: str, job_id: str) -> str:
    """Return where a provider reports about one job."""
    return f"{public_url.rstrip('/')}{PATH.format(provider=provider, account=account)}?job={job_id}"
