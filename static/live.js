// Live: a socket with a poll underneath, so that there is never a moment with neither.
// Hands HTML batches to `apply`; knows nothing of what is in them but that they end with a cursor.

const HEARTBEAT = 45000; // ms of silence after which a socket counts as dead (the server speaks every 20 s)
const TICK = 5000;
const isBatch = (html) => html.includes('<meta id="cursor"');
const jitter = (most, tries) => 100 + Math.random() * Math.min(most, 500 * 2 ** tries); // full jitter

function createLive({ base, name, headers, hello, log, onstatus, onopen, onrefused }) {
  let running = false, socket = null, delivered = false, heard = 0, socketTries = 0, reconnect = 0;
  let polling = null, pollTries = 0, lost = 0, isLost = false, lastTick = Date.now();
  let channel = null;

  function found() { // the server was heard
    clearTimeout(lost); lost = 0; pollTries = 0;
    if (!isLost) return;
    isLost = false;
    onstatus(true);
    if (!socket) connect(); // back: no need to wait for the long back-off
  }
  function missed() {
    lost ||= setTimeout(() => { isLost = true; onstatus(false); }, 600);
  }
  function refused() { stop(); onrefused?.(); }

  // --- asking ---
  async function ask(wait, signal, since = log.cursor) {
    const query = new URLSearchParams({ since, wait, state: log.state });
    const options = { headers: headers(), signal, cache: 'no-store' };
    const response = await fetch(`${base}/live?${query}`, options);
    if (response.status === 401) { refused(); return null; }
    const html = response.status === 200 ? await response.text() : '';
    if (response.status !== 204 && !isBatch(html)) throw new Error('not a batch');
    found();
    if (html) log.apply(html, since < log.cursor && wait === 0 ? since : undefined);
    return { since, html };
  }
  const catchUp = (since) => ask(0, AbortSignal.timeout(10000), since).catch(missed);

  // --- polling: one tab polls for all, where the browser has locks ---
  function poll() {
    if (polling || !running) return;
    const mine = polling = new AbortController();
    let leads = false;
    setTimeout(() => { if (!leads && polling === mine) catchUp(); }, 50); // another tab polls: ask once for ourselves
    const loop = async () => {
      leads = true;
      while (!mine.signal.aborted) {
        try {
          const batch = await ask(25, AbortSignal.any ? AbortSignal.any([mine.signal, AbortSignal.timeout(40000)]) : mine.signal);
          if (batch?.html) channel?.postMessage(batch);
        } catch {
          if (mine.signal.aborted) return;
          missed();
          await new Promise((done) => setTimeout(done, jitter(4000, pollTries++)));
        }
      }
    };
    const alone = () => { if (!mine.signal.aborted) loop(); }; // a frame whose storage is refused has no locks either
    if (navigator.locks && channel) navigator.locks.request('poll' + name(), { signal: mine.signal }, loop).catch(alone);
    else loop();
  }
  function stopPoll() { polling?.abort(); polling = null; }
  function listen() {
    try { channel = new BroadcastChannel('live' + name()); } catch { channel = null; }
    if (channel) channel.onmessage = ({ data }) => {
      if (!polling) return;
      if (data.since <= log.cursor) { found(); log.apply(data.html); } else catchUp();
    };
  }

  // --- the socket ---
  function connect() {
    clearTimeout(reconnect);
    if (socket || !running) return;
    let mine;
    try { mine = new WebSocket(`${location.origin.replace('http', 'ws')}${base}/socket`); } catch { return; }
    socket = mine; delivered = false; heard = Date.now();
    mine.onopen = () => mine.send(JSON.stringify({ ...hello(), since: log.cursor, state: log.state }));
    mine.onmessage = ({ data }) => {
      heard = Date.now();
      const first = !delivered;
      if (first) { delivered = true; socketTries = 0; stopPoll(); }
      found();
      log.apply(data);
      if (first) onopen?.();
    };
    mine.onclose = ({ code }) => {
      if (mine !== socket) return;
      socket = null; delivered = false;
      if (code === 4401) return refused();
      retry();
    };
  }
  function retry() {
    poll();
    clearTimeout(reconnect);
    reconnect = setTimeout(connect, jitter(30000, socketTries++));
  }
  function drop() { // close() on a connecting socket would print a warning
    const old = socket;
    socket = null; delivered = false;
    if (!old) return;
    old.onmessage = old.onclose = null;
    if (old.readyState === WebSocket.CONNECTING) old.onopen = () => old.close(); else old.close();
  }

  // --- signals ---
  let gathered = null;
  function flush() {
    if (!gathered || !running) return void (gathered = null);
    const body = JSON.stringify(gathered);
    gathered = null;
    if (delivered) return socket.send(body);
    const options = { method: 'POST', keepalive: true, body };
    fetch(`${base}/signals`, { ...options, headers: { ...headers(), 'Content-Type': 'application/json' } }).catch(() => {});
  }

  // --- the clock, sleep and wake ---
  function tick() {
    const gap = Date.now() - lastTick;
    lastTick = Date.now();
    if (!running) return;
    if (gap > 3 * TICK && Date.now() - heard > HEARTBEAT / 2) return wake(); // asleep, not only throttled
    if (socket && Date.now() - heard > (delivered ? HEARTBEAT : 10000)) { drop(); retry(); }
  }
  function wake() { // never trust readyState: ask at once, and doubt a socket that was silent
    if (!running) return;
    catchUp();
    if (!delivered || Date.now() - heard > HEARTBEAT / 2) { drop(); socketTries = 0; poll(); connect(); }
  }
  function start() {
    if (running) return;
    running = true; lastTick = Date.now();
    listen(); poll(); connect();
  }
  function stop() { running = false; clearTimeout(reconnect); clearTimeout(lost); lost = 0; stopPoll(); drop(); channel?.close(); }

  setInterval(tick, TICK);
  let paused = false;
  addEventListener('pagehide', () => { paused = running; stop(); });
  addEventListener('pageshow', () => { if (paused) { paused = false; start(); } });
  addEventListener('visibilitychange', () => { if (!document.hidden) wake(); });
  addEventListener('resume', wake);
  addEventListener('online', wake);

  return {
    start, stop, wake, catchUp,
    get running() { return running; },
    /** Typing, delivered, seen: by the socket, or by POST while polling. Lost ones are harmless. */
    signal(told) { // gathered: a burst of messages is one signal, so that no limit drops the last one
      if (!running) return;
      if (gathered && gathered.conversation !== told.conversation && gathered.conversation && told.conversation) flush();
      if (!gathered) setTimeout(flush, 200);
      gathered = { ...gathered, ...told };
    },
  };
}
