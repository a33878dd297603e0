"""A resource type is a row; create, get, update, delete and list follow from it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from local.cloudfront import model, paging
from local.cloudfront.account import Account, Lags, Record, copied, timestamp
from local.cloudfront.errors import ServiceError

Config = dict[str, Any]
Operation = Callable[[Account, dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceType:
    """
    What makes one type of resource different from the others.

    Attributes:
        missing, duplicate, too_many:
            The codes of the error responses.
        limit:
            How many an account may have.
        once:
            What only one resource of this type may say, such as its name.
        fill:
            Adds what CloudFront adds to a configuration that was sent, or refuses
            what it cannot read.
        check:
            Refuses a configuration; the record is the one that it would replace.
        check_delete:
            Refuses a deletion, of a resource in use for instance.
        begin:
            Gives a new record its traits.
        lag:
            How long the edges wait for a change, in seconds; None where they read
            what the account has.
        at_edges:
            What of a record the edges wait for.
        describe:
            The members that the resource has beside its id and configuration.
        summarise:
            The resource's entry in a list.
        select:
            Whether a list with these parameters shows the record.
    """

    noun: str
    plural: str
    id_prefix: str
    id_length: int
    missing: str
    duplicate: str
    too_many: str
    limit: Callable[[Account], int]
    once: Callable[[Config], str]
    check: Callable[[Account, Config, Record | None], None]
    check_delete: Callable[[Account, Record], None]
    describe: Callable[[Account, Record], dict[str, Any]]
    summarise: Callable[[Account, Record], dict[str, Any]]
    fill: Callable[[Config], Config] = copied
    begin: Callable[[Account, Record], None] = lambda _account, _record: None
    select: Callable[[Record, dict[str, Any]], bool] = lambda _record, _parameters: True
    lag: Callable[[Lags], float] | None = None
    at_edges: Callable[[Account, Record], dict[str, Any]] = lambda _account, record: record.config
    message: str = "The resource does not exist."

    @property
    def config(self) -> str:
        return f"{self.noun}Config"


def operations(row: ResourceType) -> dict[str, Operation]:
    """Return the operations that *row* describes, by their names."""
    return {
        f"Create{row.noun}": lambda account, sent: create(account, row, sent[row.config]),
        f"Get{row.noun}": lambda account, sent: answer(account, row, find(account, row, sent)),
        f"Get{row.noun}Config": lambda account, sent: _get_config(row, find(account, row, sent)),
        f"Update{row.noun}": lambda account, sent: _update(account, row, sent),
        f"Delete{row.noun}": lambda account, sent: _delete(account, row, sent),
        f"List{row.plural}": lambda account, sent: _list(account, row, sent),
    }


def create(account: Account, row: ResourceType, config: Config) -> dict[str, Any]:
    config = row.fill(config)
    records = account.of(row.noun)
    once = row.once(config)
    if any(row.once(record.config) == once for record in records.values()):
        raise ServiceError(row.duplicate, f"{once!r} belongs to another {row.noun}.")
    if sum(not record.managed for record in records.values()) >= row.limit(account):
        raise ServiceError(row.too_many, "The account has as many as it may have.")
    check_quantities(config)
    row.check(account, config, None)
    record = keep(account, row, config)
    where = f"{model.location(f'Create{row.noun}')}/{record.id}"
    return answer(account, row, record) | {"Location": where}


def keep(
    account: Account,
    row: ResourceType,
    config: Config,
    *,
    identifier: str = "",
    managed: bool = False,
) -> Record:
    """Make a record of a configuration that nothing speaks against."""
    now = account.now()
    identifier = identifier or account.new_id(row.id_prefix, row.id_length)
    record = Record(
        id=identifier,
        config=config,
        etag=_new_etag(account),
        created_at=now,
        modified_at=now,
        ordinal=account.new_ordinal(identifier),
        managed=managed,
    )
    row.begin(account, record)
    _roll_out(account, row, record)
    account.of(row.noun)[identifier] = record
    return record


def find(account: Account, row: ResourceType, sent: dict[str, Any]) -> Record:
    record = account.of(row.noun).get(sent["Id"])
    if record is None:
        raise ServiceError(row.missing, row.message)
    return record


def answer(account: Account, row: ResourceType, record: Record) -> dict[str, Any]:
    return {row.noun: body(account, row, record), "ETag": record.etag}


def body(account: Account, row: ResourceType, record: Record) -> dict[str, Any]:
    own = {"Id": record.id, row.config: copied(record.config)}
    return own | row.describe(account, record)


def status(account: Account, record: Record) -> str:
    return "InProgress" if account.now() < record.deployed_at else "Deployed"


def check_quantities(value: object) -> None:
    """CloudFront's lists say how long they are, and must be right about it."""
    if isinstance(value, dict):
        if "Quantity" in value and value["Quantity"] != len(value.get("Items", ())):
            raise ServiceError(
                "InconsistentQuantities", "The value of Quantity and the size of Items don't match."
            )
        members: Iterable[object] = value.values()
    elif isinstance(value, list):
        members = value
    else:
        return
    for member in members:
        check_quantities(member)


def _get_config(row: ResourceType, record: Record) -> dict[str, Any]:
    return {row.config: copied(record.config), "ETag": record.etag}


def _update(account: Account, row: ResourceType, sent: dict[str, Any]) -> dict[str, Any]:
    record = find(account, row, sent)
    if record.managed:
        raise ServiceError("IllegalUpdate", f"A managed {row.noun} cannot be changed.")
    _check_if_match(record, sent.get("IfMatch"))
    config = row.fill(sent[row.config])
    check_quantities(config)
    # First: where it may not change at all, it does not matter whose it is.
    row.check(account, config, record)
    once = row.once(config)
    existing = account.of(row.noun).values()
    if any(row.once(each.config) == once for each in existing if each is not record):
        raise ServiceError(row.duplicate, f"{once!r} belongs to another {row.noun}.")
    record.config = config
    record.former_etags.add(record.etag)
    record.etag = _new_etag(account)
    record.modified_at = account.now()
    _roll_out(account, row, record)
    return answer(account, row, record)


def _delete(account: Account, row: ResourceType, sent: dict[str, Any]) -> dict[str, Any]:
    record = find(account, row, sent)
    if record.managed:
        raise ServiceError("IllegalDelete", f"A managed {row.noun} cannot be deleted.")
    _check_if_match(record, sent.get("IfMatch"))
    row.check_delete(account, record)
    del account.of(row.noun)[record.id]
    return {}


def _list(account: Account, row: ResourceType, sent: dict[str, Any]) -> dict[str, Any]:
    return paging.page(
        f"List{row.plural}",
        sent,
        entries=[record for record in account.of(row.noun).values() if row.select(record, sent)],
        place=lambda record: record.ordinal,
        marked=account.ordinals.get(sent.get("Marker", "")),
        identify=lambda record: record.id,
        present=lambda record: row.summarise(account, record),
    )


def _check_if_match(record: Record, if_match: str | None) -> None:
    """Refuse a version that the resource once had as stale, one that it never had as invalid."""
    if if_match == record.etag:
        return
    if if_match in record.former_etags:
        raise ServiceError(
            "PreconditionFailed",
            "The request failed because it didn't meet the preconditions in one or more "
            "request-header fields.",
        )
    raise ServiceError(
        "InvalidIfMatchVersion",
        "The If-Match version is missing or not valid for the resource.",
    )


def _new_etag(account: Account) -> str:
    return account.new_id("E", 14)


def _roll_out(account: Account, row: ResourceType, record: Record) -> None:
    if row.lag is None:
        return
    record.deployed_at = account.now() + row.lag(account.lags)
    record.rollout = [*record.rollout, (record.deployed_at, row.at_edges(account, record))]
    account.expect_change(record.deployed_at)


def is_of_type(record: Record, parameters: dict[str, Any]) -> bool:
    """Whether a list of policies asks for the managed ones, the account's own, or for both."""
    return parameters.get("Type") in (None, kind(record))


def kind(record: Record) -> str:
    return "managed" if record.managed else "custom"


def modified(record: Record) -> dict[str, Any]:
    return {"LastModifiedTime": timestamp(record.modified_at)}
