// A small server and a network that loses, repeats and cuts frames, for the page's own client and reducer.
// `play(steps)` runs one scenario and returns, for each moment compared, what the tab and a new tab show.

const PAGE_MESSAGES = 3;

/** The stored document and the frames sent about it. */
class Server {
  messages = [];
  mailbox = [];
  partial = null;
  wire = []; // frames in transit to the client
  attempts = 0;
  revision = 0; // of the last rating

  emit(frame) { this.wire.push(frame); }

  ready(after) {
    const recovered = after <= this.messages.length;
    const page = this.page(recovered ? after : 0, this.messages.length);
    const reply = this.partial && { reply_to: this.mailbox[0].id, id: this.partial.id, text: this.partial.text };
    return {
      type: "session.ready", name: "Ada", session_start: "2030-01-01T00:00:00Z", expires_at: "2030-01-01T01:00:00Z",
      ...page, reply, recovered, ratings_revision: this.revision, limits: { history_messages: 4, max_message_chars: 2000, session_ttl_s: 3600 },
    };
  }

  /** The ratings after a revision, of messages up to `after`. */
  ratings(after, known) {
    const changed = this.messages.filter(({ seq, revision }) => seq <= after && revision > known);
    return changed.map(({ id, reply_to, rating, revision }) => ({ type: "reply.rated", id, reply_to, rating, comment: null, revision }));
  }

  sync(after, known) { return [this.ready(after), ...this.ratings(after, known)]; }

  rate({ id, rating }) {
    const message = this.messages.find((each) => each.id === id);
    message.rating = rating;
    message.revision = this.revision += 1;
    this.emit(this.ratings(message.seq, this.revision - 1).at(-1));
  }

  history(before) { return { type: "session.messages", before, ...this.page(0, before - 1) }; }

  page(after, last) {
    const start = Math.max(after, last - PAGE_MESSAGES);
    return { messages: this.messages.slice(start, last).map((message) => this.forClient(message)), has_earlier: start > after };
  }

  forClient(message) {
    const { id, seq, source, reply_to, replaced_by, replaces, version_of, continues, msg, error, discarded } = message;
    if (!replaced_by) return message;
    const failed = (source === "bot" && (!msg || error || discarded)) || undefined;
    return { id, seq, source, reply_to, replaced_by, replaces, version_of, continues, failed };
  }

  current() { return this.messages.filter(({ replaced_by }) => !replaced_by); }

  /** The questions from one on, and the replies to them, that are not replaced. */
  branch(question) {
    const ids = this.messages.filter(({ source, seq }) => source === "human" && seq >= question.seq).map(({ id }) => id);
    return this.current().filter(({ id, reply_to }) => ids.includes(reply_to ?? id));
  }

  store(message) {
    const stored = { seq: this.messages.length + 1, timestamp: "2030-01-01T00:00:00Z", ...message };
    this.messages.push(stored);
    return stored;
  }

  receive(frame) {
    if (frame.type === "session.sync") this.wire.push(...this.sync(frame.after, frame.ratings_revision));
    if (frame.type === "reply.rate") this.rate(frame);
    if (frame.type === "session.history") this.emit(this.history(frame.before));
    if (frame.type !== "message.send") return;
    let message = this.messages.find(({ id }) => id === frame.id);
    const isNew = !message;
    if (isNew) {
      const old = this.messages.find(({ id }) => id === frame.replaces);
      const branch = old ? this.branch(old) : [];
      const isBusy = branch.some(({ id }) => this.mailbox.some((waiting) => waiting.id === id));
      if (frame.replaces && (!old || old.replaced_by || isBusy)) {
        this.emit({ type: "error", code: isBusy ? "session.busy" : "message.invalid", detail: "…", ref: frame.id });
        return;
      }
      message = this.store({ id: frame.id, source: "human", msg: frame.msg, reply_to: null, replaces: frame.replaces });
      for (const replaced of branch) replaced.replaced_by = message.id;
      this.mailbox.push({ id: frame.id });
    }
    this.emit({ type: "message.accepted", message: { ...message } });
    if (isNew && this.mailbox.length > 1) this.emit({ type: "reply.queued", reply_to: frame.id, ahead: this.mailbox.length - 1, eta_s: 3 });
  }

  /** Start an attempt. If one is running, its worker is lost and another one starts. */
  start() {
    if (!this.mailbox.length) return;
    if (this.partial) this.emit({ type: "reply.queued", reply_to: this.mailbox[0].id, ahead: 0, eta_s: null });
    this.partial = { id: `bot-${this.attempts += 1}`, text: "" };
    const { id, continues } = this.mailbox[0];
    this.emit({ type: "reply.started", reply_to: id, id: this.partial.id, continues });
    if (continues) this.write(this.messages.find(({ id }) => id === continues).msg);
  }

  write(text) {
    if (!this.partial) return;
    const offset = [...this.partial.text].length;
    this.partial.text += text;
    this.emit({ type: "reply.delta", reply_to: this.mailbox[0].id, id: this.partial.id, offset, text });
  }

  end(error) {
    if (!this.partial) return;
    const { id: reply_to, replaces, continues } = this.mailbox.shift();
    const message = this.store({ id: this.partial.id, source: "bot", msg: this.partial.text, reply_to, continues });
    if (error) message.error = { code: "model.timeout", detail: "…", retryable: true };
    const old = this.messages.find(({ id }) => id === replaces);
    if (old && error && !old.error) Object.assign(message, { replaced_by: replaces, discarded: true });
    else if (old) {
      message.replaces = replaces;
      old.replaced_by = message.id;
    }
    this.partial = null;
    this.emit({ type: error ? "reply.failed" : "reply.completed", message: { ...message } });
  }

  regenerate(continues = false) {
    const question = this.current().findLast(({ source }) => source === "human");
    const last = question && this.current().find(({ reply_to }) => reply_to === question.id);
    if (this.mailbox.length || !last || (continues && (last.error || !last.msg))) return;
    this.mailbox.push({ id: last.reply_to, replaces: last.id, continues: continues ? last.id : undefined });
    this.emit({ type: "reply.queued", reply_to: last.reply_to, ahead: 0, eta_s: null });
  }

  /** Append a copy of a reply that a reply to the same question replaced, or of a question and what followed it. */
  choose(at) {
    const original = (id) => { const message = this.messages.find((each) => each.id === id); return message.version_of ?? message.id; };
    const rootOf = (message) => (message.version_of || message.replaces
      ? rootOf(this.messages.find(({ id }) => id === (message.version_of ?? message.replaces))) : message.id);
    const kindOf = (message) => (message.source === "human" ? rootOf(message) : `reply ${original(message.reply_to)}`);
    const isVersion = (message) => message.replaced_by && !this.forClient(message).failed;
    const choices = this.messages.filter(isVersion).map((version) => [version, this.current().find((it) => kindOf(it) === kindOf(version))])
      .filter(([version, current]) => current && original(current.id) !== original(version.id));
    if (this.mailbox.length || !choices.length) return;
    const [version, current] = choices[at % choices.length];
    const copies = version.source === "bot" ? [version] : this.messages.filter(({ replaced_by, seq }) => replaced_by === version.replaced_by && seq >= version.seq);
    const replaced = version.source === "bot" ? [current] : this.branch(current);
    const copied = new Map();
    for (const message of copies) {
      const { replaced_by, replaces, seq, continues, rating, revision, ...rest } = message;
      const copy = this.store({
        ...rest, id: `copy-${this.messages.length}`, version_of: original(message.id), replaces: message === version ? current.id : undefined,
        reply_to: message.source === "bot" ? (version.source === "bot" ? current.reply_to : copied.get(message.reply_to)) : null,
      });
      copied.set(message.id, copy.id);
      for (const old of replaced.splice(0)) old.replaced_by = copy.id;
      const type = message.source === "human" ? "message.accepted" : message.error ? "reply.failed" : "reply.completed";
      this.emit({ type, message: { ...copy } });
    }
  }
}

/** @param {[string, any?][]} steps */
export async function play(steps) {
  const { ChatClient } = await import("/chat/client.js");
  const { EMPTY, reduce } = await import("/chat/state.js");
  const { turns } = await import("/chat/turns.js");
  const { withVersions } = await import("/chat/versions.js");
  const real = { WebSocket: globalThis.WebSocket, setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  const server = new Server();
  const timers = new Map();
  let socket = null;
  let number = 0;
  let state = EMPTY;
  const sent = [];

  globalThis.WebSocket = class {
    readyState = 1;
    constructor(url) {
      socket = this;
      const known = (name) => Number(new URL(url).searchParams.get(name) ?? 0);
      server.wire = server.sync(known("after"), known("ratings_revision"));
    }
    send(text) { if (socket === this) server.receive(JSON.parse(text)); }
    close() { this.readyState = 3; if (socket === this) { socket = null; server.wire = []; } }
  };
  globalThis.setTimeout = (action, delay) => { timers.set(++number, { action, delay }); return number; };
  globalThis.clearTimeout = (timer) => timers.delete(timer);

  const dispatch = (event) => { state = reduce(state, event); };
  const client = new ChatClient({
    url: "ws://server.test/chat", token: "t", onFrame: dispatch,
    onConnection: (connection) => dispatch({ type: "local.connection", connection }),
  });
  const deliver = (count) => {
    for (let left = count; left > 0 && socket && server.wire.length; left -= 1) {
      socket.onmessage?.({ data: JSON.stringify(server.wire.shift()) });
    }
  };
  const cut = () => { const lost = socket; socket = null; server.wire = []; lost?.onclose?.({ code: 1006 }); };
  const reconnect = () => { if (!socket) client.open(); };
  // Responses to this client's own frames are lost only with the connection. The server notices lost ratings.
  const responses = ["session.ready", "session.messages", "message.accepted", "error", "reply.rated"];
  const events = () => server.wire.filter(({ type }) => !responses.includes(type));
  const does = {
    say(text, replaces) {
      const id = `human-${sent.length + 1}`;
      sent.push(text);
      dispatch({ type: "local.sent", id, msg: text, replaces });
      client.send(text, id, replaces);
    },
    /** A message and its reply on a good network. */
    exchange() {
      does.say(`question ${sent.length}`);
      deliver(Infinity);
      server.start();
      server.write(`answer ${sent.length}`);
      server.end(false);
      deliver(Infinity);
    },
    /** Edit a question that the tab shows. */
    edit(at) {
      const editable = turns(state).filter(({ editable }) => editable === "yes");
      if (editable.length) does.say(`edit ${sent.length}`, editable[at % editable.length].id);
    },
    deliver, cut, reconnect,
    start: () => server.start(),
    write: (text) => server.write(text),
    complete: () => server.end(false),
    fail: () => server.end(true),
    regenerate: () => server.regenerate(),
    continue: () => server.regenerate(true),
    choose: (at) => server.choose(at),
    sync: () => client.sync(),
    rate(at) {
      const replies = [...state.messages.values()].filter(({ source, error }) => source === "bot" && !error);
      if (replies.length) client.rate(replies[at % replies.length].id, ["up", "down", null][at % 3]);
    },
    /** Another tab rates a reply. */
    rateElsewhere(at) {
      const replies = server.messages.filter(({ source, error }) => source === "bot" && !error);
      if (replies.length) server.rate({ id: replies[at % replies.length].id, rating: ["down", null, "up"][at % 3] });
    },
    scrollUp: () => client.loadEarlier(),
    /** Lose an event. */
    lose(at) {
      const event = events()[at % events().length];
      if (event) server.wire.splice(server.wire.indexOf(event), 1);
    },
    /** Deliver an event twice: a start at once, others perhaps late. */
    repeat(at) {
      const event = events()[at % events().length];
      if (!event) return;
      const isStart = ["reply.started", "reply.queued"].includes(event.type);
      server.wire.splice(isStart ? server.wire.indexOf(event) : server.wire.length, 0, structuredClone(event));
    },
  };

  // Queue positions are only in events; everything else is in the document.
  const position = (pager) => pager && [pager.number, pager.count, ...Array.from({ length: pager.count }, (_, n) => pager.version(n + 1)?.id)];
  const seen = (of) => withVersions(turns(of), of).filter(({ phase }) => phase !== "rejected").map(({ id, key, msg, phase, reply, partial, pager, replyPager }) => ({
    id, key, msg, pager: position(pager) ?? null, replyPager: partial ? null : position(replyPager) ?? null, phase: ["queued", "requested", "loading"].includes(phase) ? (reply ? "done" : "accepted") : phase,
    reply: reply?.id ?? null, rating: reply?.rating ?? null, text: partial?.id ? partial.text : (reply?.msg ?? ""),
  }));
  const stored = () => server.current().filter(({ source }) => source === "human").map(({ msg }) => msg);
  const moments = [];
  const compare = () => {
    deliver(Infinity);
    let fresh = [{ type: "local.connection", connection: { phase: "open" } }, server.ready(0)].reduce(reduce, EMPTY);
    while (fresh.hasEarlier) fresh = reduce(fresh, server.history(fresh.firstSeq));
    for (let left = server.messages.length; left && state.hasEarlier; left -= 1) {
      client.loadEarlier();
      deliver(Infinity);
    }
    moments.push({ seen: seen(state), fresh: seen(fresh), stored: stored() });
  };

  client.open();
  try {
    for (const [step, value] of steps) does[step](value);
    reconnect();
    deliver(Infinity);
    // From here on nothing is lost. The client must notice by itself that frames are missing.
    does.say("last");
    deliver(Infinity);
    const isWaiting = () => state.outbox.some(({ error }) => !error || error.retryable);
    while (server.mailbox.length || isWaiting()) {
      if (isWaiting()) { client.sync(); deliver(Infinity); }
      if (!server.partial) server.start();
      server.write("¾😀");
      if (!isWaiting()) compare();
      server.end(false);
      if (!isWaiting()) compare();
    }
  } finally {
    Object.assign(globalThis, real);
  }
  const accepted = server.messages.filter(({ source, version_of }) => source === "human" && !version_of).map(({ msg }) => msg);
  const rejected = state.outbox.map(({ msg }) => msg);
  return { moments, accepted, sent: sent.filter((msg) => !rejected.includes(msg)) };
}
