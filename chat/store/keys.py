"""The names of all keys in Redis. No other module and no script builds one.

These are the names on a single server. `chat.store.redis_cluster` derives those on a Redis Cluster.

chat:{ID}:document         RedisJSON: id, name, session_start, messages;
                           failures: codes of all failed replies; ratings: those that were given
chat:{ID}:ids              hash: "human:<id>", "bot:<id>" → seq;
                           "answer:<human id>", "last" → id of a reply;
                           "versions:<human id>" → the first id of a group of versions;
                           "current:<first id>" → the group's last id;
                           "bytes" → of all messages, as they are stored
chat:{ID}:mailbox          list: ids of the messages to answer, oldest first
chat:{ID}:work             hash: of the reply in progress: reply, pieces, taken, retry_at, holder;
                           of each waiting message: due:, attempts:, replaces:, continues:,
                           stop:<id>
chat:{ID}:partial          string: the partial reply
chat:{ID}:lease            string: the lease holder's random value, with its own expiry
chat:{ID}:ratings          sorted set: seq of each reply that was rated, by the revision of its last
                           rating: in milliseconds since 1970, each greater than the one before
chat:{ID}:rating_rate      string: when the next rating is due at the allowed rate (GCRA)
chat:{ID}:rate             string: when the next message is due at the allowed rate (GCRA)
chat:{ID}:operator         hash: of the operator who answers: lease, name, user, joined, active
chat:{ID}:sockets          sorted set: open sockets by last heartbeat
chat:{ID}:share_rate       string: when the next share is due at the allowed rate
chat:{ID}:shares           hash: id of a share → JSON of what is known of it
chat:{SHARE}:snapshot      hash: of a share: its session, and the numbered parts of its JSON
chat:address:{HASH}:rate   string: the same for new sessions of an address
chat:address:{HASH}:messages  string: the same for messages of an address
chat:address:{HASH}:bytes  string: the same for the bytes of these messages
chat:address:{HASH}:shares  string: the same for new shares of an address
chat:address:{HASH}:shared  string: the same for the bytes of these shares
chat:address:{HASH}:sockets  sorted set: open sockets of an address by last heartbeat
chat:due                   sorted set: sessions with unanswered messages, by when to sweep them
chat:waiting               sorted set: those without a worker, by the time since which they wait
chat:operators             sorted set: sessions that an operator answers, by the end of their claim
chat:requests              sorted set: sessions whose visitors ask for a person, by time
chat:on-duty               sorted set: pages of operators who can be asked, by last heartbeat
chat:pace                  hash: mean duration of recent replies, time of the last one;
                           on a Redis Cluster "all_…": the queue over all buckets, and when
chat:minute:<n>            hash: statistics of the n-th minute since 1970, kept for two hours
chat:sockets               sorted set: all open sockets by last heartbeat
chat:workers               sorted set: workers by last heartbeat
chat:slots                 sorted set: workers by number of free slots
chat:swept                 string: time of the last sweep
chat:endpoints             hash: worker → what it knows of the models' endpoints, as JSON
chat:deletions             sorted set: when texts were or will be deleted that Redis' files contain
chat:rewrite               hash: of the last rewrite of these files: started, run, claim, outcome
chat:write-check           RedisJSON: written to check that Redis accepts writes
chat:health-probe:{NONCE}  string: a worker has run the health probe with this nonce
chat:sessions:4            search index over the documents
"""

from hashlib import sha256

from chat.addresses import network_of

# Name in the scripts → key. `chat.store.command` declares these names as Lua locals.
Keys = dict[str, str]

DOCUMENT_PREFIX = "chat:{"
DOCUMENT_PATTERN = "chat:{*:document"
ADDRESS_PREFIX = "chat:address:"
SEARCH_INDEX = "chat:sessions:4"  # Use a new name if its fields change.

_SESSION = (
    "document",
    "ids",
    "mailbox",
    "work",
    "partial",
    "lease",
    "rate",
    "sockets",
    "shares",
    "share_rate",
    "operator",
    "ratings",
    "rating_rate",
)
_SHARED = {
    "due": "chat:due",
    "minute": "chat:minute",
    "waiting": "chat:waiting",
    "operators": "chat:operators",
    "requests": "chat:requests",
    "on_duty": "chat:on-duty",
    "pace": "chat:pace",
    "deletions": "chat:deletions",
}
# Format strings, for scripts that find the shares of a session, or sessions, themselves.
_SNAPSHOT = f"{DOCUMENT_PREFIX}%s}}:snapshot"


def _formats(*names: str) -> Keys:
    return {f"{name}_key": f"{DOCUMENT_PREFIX}%s}}:{name}" for name in names}


_LISTED = _formats("document", "mailbox", "lease")
_RENEWED = _formats("document", "sockets", "ratings", "operator") | {
    "address_sockets_key": f"{ADDRESS_PREFIX}%s:sockets"
}
_CLUSTER = _SHARED | {
    "workers": "chat:workers",
    "slots": "chat:slots",
    "all_sockets": "chat:sockets",
    "swept": "chat:swept",
    "endpoints": "chat:endpoints",
    "rewrite": "chat:rewrite",
    "write_check": "chat:write-check",
}


def session_key(session: str, name: str) -> str:
    return f"{DOCUMENT_PREFIX}{session}}}:{name}"


def session_keys(session: str) -> Keys:
    """Return a session's keys and the shared ones that its commands change."""
    keys = {name: session_key(session, name) for name in _SESSION} | _SHARED
    keys["snapshot"] = _SNAPSHOT
    return keys


def loading_keys(session: str) -> Keys:
    """Return a session's keys and the workers', because a loaded session says if any is running."""
    return session_keys(session) | {"workers": _CLUSTER["workers"]}


def creation_keys(session: str, address: str) -> Keys:
    """Return the keys for creating a session; the rate is the address's."""
    return session_keys(session) | {"rate": _address_key(address, "rate")}


def message_keys(session: str, address: str) -> Keys:
    """Return a session's keys and the rates of an address."""
    return session_keys(session) | {
        "address_messages": _address_key(address, "messages"),
        "address_bytes": _address_key(address, "bytes"),
    }


def share_keys(session: str, address: str) -> Keys:
    """Return a session's keys and the rates of an address for shares."""
    return session_keys(session) | {
        "address_shares": _address_key(address, "shares"),
        "address_shared": _address_key(address, "shared"),
    }


def snapshot_keys(share: str) -> Keys:
    """Return the key of one share's snapshot, which belongs to no session by its name."""
    return {"snapshot": _SNAPSHOT % share}


def socket_keys(session: str, address: str) -> Keys:
    """Return a session's keys, the sockets of an address and all sockets."""
    return session_keys(session) | {
        "address_sockets": _address_key(address, "sockets"),
        "all_sockets": _CLUSTER["all_sockets"],
    }


def renewal_keys(session: str, address: str) -> Keys:
    """Return the keys of one socket, and format strings for those of others."""
    return socket_keys(session, address) | _RENEWED


def cluster_keys() -> Keys:
    """Return the keys that belong to no session."""
    return _CLUSTER


def listing_keys() -> Keys:
    """Return the keys that belong to no session, and format strings for those of sessions."""
    return _CLUSTER | _LISTED


def health_probe_keys(nonce: str) -> Keys:
    return {"health_probe": f"chat:health-probe:{nonce}"}


def session_of(document_key: str) -> str:
    """Return the session id in a document's key, on a single server or on a Redis Cluster."""
    tag, _, rest = document_key.removeprefix(DOCUMENT_PREFIX).partition("}:")
    return rest.rpartition(":")[0] or tag


def owner_of(keys: Keys) -> str | None:
    """Return the session or the share to which keys belong; None for those of the deployment."""
    key = keys.get("document") or keys.get("snapshot")
    return session_of(key) if key else None


def address_keys(keys: Keys) -> Keys:
    """Return those of the keys that belong to a certain address."""
    return {
        name: key
        for name, key in keys.items()
        if key.startswith(ADDRESS_PREFIX) and "%s" not in key
    }


def address_hash(address: str) -> str:
    """Return what stands for an address in the names of its keys."""
    return sha256(network_of(address).encode()).hexdigest()[:16]


def _address_key(address: str, name: str) -> str:
    return f"{ADDRESS_PREFIX}{address_hash(address)}:{name}"
