"""Jobs for tests of the store."""

from framegate.domain import Job, Request, Target


def make_job(number: int = 1, *, owner: str = "default", prompt: str = "a cat", at: float = 1000.0) -> Job:
    return Job(
        id=f"0190a000-0000-7000-8000-{number:012x}",
        owner=owner,
        dialect="native",
        request=Request(model="framegate/animatic", prompt=prompt),
        model="framegate/animatic",
        target=Target(width=640, height=360, fps=24, duration=4, audio=False, seed=None),
        created_at=at,
        updated_at=at,
        deadline_at=at + 3600,
    )
