"""One log line for each change of a job's state, with what an operator searches for."""

import logging

from framegate.domain import Job, State
from framegate.domain.money import format_usd, from_micro_usd
from framegate.domain.provider_text import clean_line
from framegate.telemetry.logging import FIELDS

ORDER_CHARS_MAX = 200  # of the provider's id of an order; the whole id is in the job

_log = logging.getLogger("framegate.job")


def log_change(before: Job | None, job: Job) -> None:
    """Log a new state of a job: a failed or expired job as a warning, everything else as information."""
    if before is not None and before.state is job.state:
        return
    fields: dict[str, object] = {"job": job.id, "owner": job.owner, "state": job.state.value, "model": job.model}
    if job.provider:
        fields["provider"] = f"{job.provider}/{job.account}" if job.account else job.provider
    order_id = (job.handle or {}).get("id")
    if order_id is not None:
        fields["order"] = clean_line(str(order_id), ORDER_CHARS_MAX)
    fields["seconds"] = round(job.updated_at - job.created_at, 1)
    if job.cost_micro_usd is not None:
        fields["cost_usd"] = format_usd(from_micro_usd(job.cost_micro_usd))
    elif job.estimate is not None:
        fields["estimate_usd"] = format_usd(from_micro_usd(job.estimate.micro_usd))
    if job.fault is not None:
        fields |= {"error_code": job.fault.code, "error": job.fault.message}
    level = logging.WARNING if job.state in (State.FAILED, State.EXPIRED) else logging.INFO
    words = " ".join(f"{name}={value}" for name, value in fields.items() if name not in ("job", "state", "error"))
    error = f": {job.fault.message}" if job.fault is not None else ""
    _log.log(level, "Job %s %s (%s)%s", job.id, job.state.value, words, error, extra={FIELDS: fields})
