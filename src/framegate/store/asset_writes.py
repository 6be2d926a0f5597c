"""Writes of assets and of blob references."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from sqlalchemy import and_, bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from framegate.domain import Blob
from framegate.store.tables import assets, blob_references


@dataclass(frozen=True, slots=True)
class KeepAsset:
    """Record a file that a tenant uploaded."""

    owner: str
    blob: Blob
    now: float

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["KeepAsset"], /) -> list[None]:
        for write in writes:
            same = and_(assets.c.owner == write.owner, assets.c.sha256 == write.blob.sha256)
            if (await connection.execute(select(assets.c.sha256).where(same))).first() is None:
                values = {
                    "owner": write.owner,
                    "sha256": write.blob.sha256,
                    "media_type": write.blob.media_type,
                    "size_bytes": write.blob.size_bytes,
                    "created_at": write.now,
                }
                await connection.execute(insert(assets).values(values))
        return [None] * len(writes)


async def insert_blob_references(connection: AsyncConnection, hashes: Mapping[str, AbstractSet[str]]) -> None:
    """Write the blobs that new jobs reference, by job id."""
    await _insert(connection, {(job_id, sha256) for job_id in hashes for sha256 in hashes[job_id]})


async def update_blob_references(connection: AsyncConnection, hashes: Mapping[str, AbstractSet[str]]) -> None:
    """Replace the references of jobs by those of their new documents."""
    query = select(blob_references.c.job_id, blob_references.c.sha256)
    rows = await connection.execute(query.where(blob_references.c.job_id.in_(hashes)))
    before = {(row.job_id, row.sha256) for row in rows}
    after = {(job_id, sha256) for job_id in hashes for sha256 in hashes[job_id]}
    await _insert(connection, after - before)
    if removed := before - after:
        same = (blob_references.c.job_id == bindparam("b_job"), blob_references.c.sha256 == bindparam("b_sha256"))
        statement = delete(blob_references).where(*same)
        await connection.execute(statement, [{"b_job": job_id, "b_sha256": sha256} for job_id, sha256 in removed])


async def _insert(connection: AsyncConnection, references: AbstractSet[tuple[str, str]]) -> None:
    if references:
        rows = [{"job_id": job_id, "sha256": sha256} for job_id, sha256 in sorted(references)]
        await connection.execute(insert(blob_references), rows)
