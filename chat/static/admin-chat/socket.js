// @ts-check
// A WebSocket of the admin that reconnects, and answers the server's pings: these arrive also while the tab is hidden,
// when timers run rarely.

const RETRY_MS = [500, 1000, 2000, 5000];
const POLICY_VIOLATION = 1008; // the session is gone, or the user may no longer use the page
/** The server pings at least every five seconds. */
const SILENCE_MS = 12_000;

/** @typedef {{type: string, [field: string]: any}} Frame */

export class AdminSocket {
  #attempt = 0;
  #silence = 0;
  /** @type {WebSocket | null} */ #socket = null;

  /**
   * @param {string} path
   * @param {{onFrame: (frame: Frame) => void, onOpen?: () => void, onLost: (isFinal: boolean) => void}} handlers
   */
  constructor(path, handlers) {
    this.url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
    this.handlers = handlers;
    this.#open();
  }

  /** Send a frame; false without a connection. @param {Frame} frame */
  send(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  #open() {
    const socket = new WebSocket(this.url);
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      this.#attempt = 0;
      this.handlers.onOpen?.();
    };
    socket.onmessage = ({ data }) => {
      this.#expectFrames(socket);
      const frame = JSON.parse(data);
      if (frame.type === "operator.ping") this.send({ type: "operator.pong" });
      else this.handlers.onFrame(frame);
    };
    socket.onclose = ({ code }) => {
      clearTimeout(this.#silence);
      const isFinal = wasOpen && code === POLICY_VIOLATION;
      this.handlers.onLost(isFinal);
      if (!isFinal) setTimeout(() => this.#open(), RETRY_MS[Math.min(this.#attempt++, RETRY_MS.length - 1)]);
    };
    this.#socket = socket;
  }

  /** @param {WebSocket} socket */
  #expectFrames(socket) {
    clearTimeout(this.#silence);
    this.#silence = window.setTimeout(() => socket.close(), SILENCE_MS);
  }
}
