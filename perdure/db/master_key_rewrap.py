"""Puts the data keys of all organisations under the current master key, as the owner of the schema."""

from sqlalchemy import select, update

from perdure.db.keyring import Keyring
from perdure.db.models import DataKeyRow
from perdure.db.session import Database
from perdure.master_keys import MasterKeys

_PAGE = 200


async def rewrap_all(owner: Database, keys: MasterKeys) -> int:
    """Wrap anew what another master key wraps, page by page; how many. Retired data keys stay as they are.

    Only the owner's role sees the rows of every organisation. What is sealed is not touched, so all goes on.
    """
    keyring = Keyring(keys)
    count = 0
    while True:
        async with owner.transaction(None) as session:
            rows = await session.scalars(
                select(DataKeyRow)
                .where(DataKeyRow.retired_at.is_(None), DataKeyRow.master_key_id != keys.current_id)
                .order_by(DataKeyRow.id)
                .limit(_PAGE)
                .with_for_update(key_share=True)
            )
            page = rows.all()
            for row in page:
                master_key_id, wrapped = await keyring.wrap(session, keyring.unwrap(row))
                await session.execute(
                    update(DataKeyRow)
                    .where(DataKeyRow.id == row.id)
                    .values(master_key_id=master_key_id, wrapped=wrapped)
                )
        count += len(page)
        if len(page) < _PAGE:
            return count
