// The loader: the only file a host page gets before the visitor acts. It draws the launcher without any
// request, opens the frame when asked, and keeps the visitor's identity in the host page's storage.
(() => {
  const config = "__CONFIG__";
  const script = document.currentScript;
  const queue = Array.isArray(window.Porchlight) ? window.Porchlight : [];
  if (window.Porchlight && !Array.isArray(window.Porchlight)) return; // the tag stands twice: one light is enough
  const origin = new URL(script.src).origin, key = `porchlight:${config.site}`;
  const allows = (source) => { const [scheme, place] = source.split('://'); return location.protocol.startsWith(scheme) && (place[0] === '*' ? location.host.endsWith(place.slice(1)) : location.host === place); };
  if (config.domains && location.origin !== origin && !config.domains.some(allows)) return console.warn(`Porchlight: ${location.origin} is not among the domains of the site "${config.site}". Add it in the inbox: Settings, Sites.`);
  const phone = matchMedia('(max-width:480px),(max-height:480px)');
  const handlers = {};
  let frame, away = false, itself = 0, unread = 0, open = false, ready = false, returnTo;
  let tongue = script.dataset.lang || document.documentElement.lang, theme = '', home, said;
  const words = { ...Object.values(config.words)[0], ...(config.words[tongue] ?? config.words[tongue.split('-')[0]]) };
  let sounds = script.dataset.sound === 'on', audio;

  // --- storage: nothing before the visitor acts; a tab may remember that it was open ---
  const store = (name) => { try { return window[name]; } catch { return null; } };
  const read = () => { try { return JSON.parse(store('localStorage').getItem(key)) || {}; } catch { return memory; } };
  let memory = {}, agreed = script.dataset.consent !== 'wait' || !!read().agreed;
  function write(name, value) {
    memory = { ...read(), [name]: value ?? undefined };
    if (agreed) try { localStorage.setItem(key, JSON.stringify(memory)); } catch { /* this page's life is all it has */ }
  }
  function forget() {
    memory = {};
    for (const name of ['localStorage', 'sessionStorage']) store(name)?.removeItem(key);
    heard.unread({ count: 0, here: home });
  }
  function rememberOpen() {
    if (!agreed) return;
    if (read().token) write('open', open || null);
    try { sessionStorage.setItem(key, open ? '1' : ''); } catch { /* not remembered */ }
  }
  function wasOpen() {
    try { const tab = sessionStorage.getItem(key); if (tab !== null) return tab === '1'; } catch { /* no */ }
    return read().open;
  }

  // --- what is drawn: in <html>, outside <body>, which frameworks swap ---
  const holder = document.createElement('porchlight-chat');
  const root = holder.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
:host{all:initial;color-scheme:__SCHEME__}
button{all:unset;box-sizing:border-box;position:fixed;inset-inline-__CORNER__:calc(__X__px + env(safe-area-inset-__EDGE__));bottom:calc(__Y__px + env(safe-area-inset-bottom));width:56px;height:56px;border-radius:50%;background:__FILL__;color:__ON__;cursor:pointer;z-index:2147483000;display:grid;place-items:center;box-shadow:0 2px 12px #0004;transition:transform .15s ease-out}
button:hover{transform:scale(1.05)}
button:focus-visible{outline:3px solid #fff;box-shadow:0 0 0 6px __FILL__}
[hidden]{display:none!important}
svg{width:30px;height:30px;fill:none;stroke:currentColor;stroke-width:2.2;stroke-linecap:round;stroke-linejoin:round}
.flame{fill:currentColor}
.lit{border:3px solid #f5b041}
b{position:absolute;top:-4px;inset-inline-end:-4px;min-width:22px;height:22px;padding:0 6px;box-sizing:border-box;border-radius:11px;background:#b42318;color:#fff;border:2px solid #fff;font:700 12px/18px system-ui,sans-serif;text-align:center}
iframe,div{border:0;position:fixed;inset-inline-__CORNER__:calc(__X__px + env(safe-area-inset-__EDGE__));bottom:calc(__ABOVE__px + env(safe-area-inset-bottom));width:384px;max-width:calc(100vw - 40px);border-radius:__BEND__px;z-index:2147483000;box-shadow:0 8px 40px #0003;background:Canvas}
iframe{height:min(680px,calc(100dvh - __ROOM__px));color-scheme:__SCHEME__}
[aria-expanded=true] .lamp,[aria-expanded=false] .down{display:none}
div{box-sizing:border-box;padding:20px;color:CanvasText;font:16px/1.45 system-ui,sans-serif;animation:a .2s .3s both}
@keyframes a{from{visibility:hidden}}
@media (max-width:480px),(max-height:480px){iframe{inset:0;width:100%;height:100dvh;max-width:none;border-radius:0}}
img{width:56px;height:56px;border-radius:50%;object-fit:cover}
@media (prefers-reduced-motion:reduce){button{transition:none}}/*__MORE__*/`);
  root.adoptedStyleSheets = [sheet];

  function draw(name, attributes, ...children) {
    const el = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const key in attributes) el.setAttribute(key, attributes[key]);
    el.append(...children);
    return el;
  }
  const launcher = document.createElement('button');
  launcher.title = words.chat;
  const icon = (shape, ...paths) => draw('svg', { viewBox: '__BOX__', class: shape, 'aria-hidden': 'true' }, ...paths);
  launcher.append(
    icon('lamp', draw('path', { d: '__LANTERN__' }), draw('path', { class: 'flame', d: '__FLAME__' })),
    icon('down', draw('path', { d: 'M7 12l9 9 9-9' })),
  );
  if (words.label) launcher.append(Object.assign(document.createElement('span'), { textContent: words.label, dir: 'auto' }));
  const badge = document.createElement('b');
  badge.setAttribute('aria-hidden', 'true');
  launcher.append(badge);
  launcher.addEventListener('click', () => { // it opened by itself just now: the click meant to open it
    if (open && Date.now() - itself < 1500) show(true); else toggle();
  });
  const waiting = document.createElement('div'); // what stands in the frame's place until the frame has spoken
  waiting.setAttribute('role', 'status');
  waiting.hidden = true;
  root.append(launcher, waiting);
  label();
  const attach = () => document.documentElement.append(holder);
  if (document.body) attach(); else addEventListener('DOMContentLoaded', attach);

  function label() {
    launcher.setAttribute('aria-label', (said ?? words.open) + (words.label ? `: ${words.label}` : ''));
    launcher.setAttribute('aria-expanded', open);
    badge.textContent = unread > 99 ? '99+' : unread;
    badge.hidden = !unread;
  }

  // --- the ring: lit while the hours say home, by the clock on the site's wall; who is there stands in the frame ---
  function glow() {
    const [zone, ranges, holidays] = config.hours, wall = Date.parse(new Date().toLocaleString('sv', { timeZone: zone }) + 'Z');
    launcher.classList.toggle('lit', [0, 1440].some((more) => {
      const day = new Date(wall - more * 6e4), at = wall % 864e5 / 6e4 + more;
      return !holidays.includes(day.toJSON().slice(5, 10)) && ranges.some(([days, from, to]) => days.includes(day.getUTCDay()) && from <= at && at < to);
    }));
  }
  if (config.hours) setInterval(glow, 60000, glow());

  // --- the frame: made on first open, or when idle once the visitor has acted ---
  function make() {
    if (frame) return;
    frame = document.createElement('iframe');
    frame.title = words.chat;
    frame.name = 'porchlight'; // by this the document knows that a loader will speak to it
    frame.hidden = true;
    frame.allow = 'clipboard-write';
    aim();
    frame.addEventListener('load', () => late(2000));
    late(10000);
    root.append(frame);
  }
  const aim = () => { frame.src = `${origin}/w/${config.site}${agreed ? '' : '/consent'}${tongue && '?lang=' + tongue}${theme && (tongue ? '&' : '?') + 'theme=' + theme}`; };
  const again = () => { if (frame) { ready = false; aim(); place(); } };
  // A frame that does not speak is a failed one (server away, a proxy's 502): it is taken away and tried again.
  let timer, tries = 0;
  function late(patience) {
    if (ready) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      frame.remove();
      frame = null;
      waiting.textContent = words.fail;
      place();
      emit('error');
      timer = setTimeout(make, Math.min(30000, 1000 * 2 ** tries++));
    }, patience);
  }
  function place() {
    if (frame) frame.hidden = !open || !ready;
    waiting.hidden = !open || ready;
    launcher.hidden = away || (open && ready && phone.matches);
    document.documentElement.style.overflow = open && ready && phone.matches ? 'hidden' : '';
    fit();
    label();
  }
  const page = () => ({ url: location.href, title: document.title, referrer: document.referrer });
  const tell = (type, more) => frame?.contentWindow?.postMessage({ porchlight: type, ...more }, origin);
  const heard = {
    ready() {
      ready = true;
      clearTimeout(timer);
      place();
      if (open && returnTo) frame.focus();
      tell('hello', { keep: read(), page: page(), open, focus: open && !!returnTo });
      if (calls.length) tell('calls', { calls });
      emit('ready');
    },
    keep({ name, value }) {
      if (name === 'token' && (read().token ?? value) !== value) return tell('kept', { keep: read() }); // another tab was first
      write(name, value);
      if (name === 'token') rememberOpen();
    },
    unread({ count, label: its, here }) {
      said = its;
      if (home !== here) emit('status', (home = here) ? 'online' : 'away');
      if (count === unread) return label();
      if (count > unread) { emit('message'); once(ring); }
      unread = count; label(); emit('unread', count);
    },
    leave: () => { ready = false; }, // for another document, which says so, or for the browser's word that there is none
    close,
    agree: () => api.consent(true),
    forget,
    lead: () => emit('lead'),
    heeded() { calls = calls.filter(([name]) => /^set|Tags$/.test(name)); }, // what is told is told to every document
  };
  addEventListener('message', ({ source, origin: from, data }) => {
    if (!frame || from !== origin || (source && source !== frame.contentWindow)) return; // a document that left has none
    if (Object.hasOwn(heard, data?.porchlight)) heard[data.porchlight](data);
  });

  addEventListener('storage', (event) => { if (event.key === key && ready) tell('kept', { keep: read() }); });

  function show(byPerson) {
    make();
    open = true;
    if (byPerson) returnTo = root.activeElement || document.activeElement;
    waiting.textContent = words.wait;
    place();
    rememberOpen();
    if (byPerson && ready) frame.focus();
    if (ready) tell('shown', { open, focus: byPerson });
    emit('open');
  }
  function close() {
    if (!open) return;
    const inside = document.activeElement === holder;
    open = false;
    place();
    rememberOpen();
    tell('shown', { open });
    if (inside) (returnTo?.isConnected ? returnTo : launcher).focus();
    emit('close');
  }
  const toggle = () => (open ? close() : show(true));

  // On a phone the frame is as high as what the keyboard leaves.
  function fit() {
    const view = window.visualViewport, full = open && phone.matches && view;
    if (!frame) return;
    frame.style.height = full ? `${view.height}px` : '';
    frame.style.top = full ? `${view.offsetTop}px` : '';
    frame.style.bottom = full ? 'auto' : '';
  }
  window.visualViewport?.addEventListener('resize', fit);
  window.visualViewport?.addEventListener('scroll', fit);
  root.addEventListener('keydown', ({ key }) => { if (key === 'Escape') close(); });
  document.addEventListener('click', ({ target }) => { if (target.closest?.('[data-chat-open]')) show(true); });
  let at = location.href;
  const moved = () => setTimeout(() => at !== (at = location.href) && tell('page', { page: page() }), 500); // routers set the title last
  window.navigation?.addEventListener('navigatesuccess', moved);
  addEventListener('popstate', moved);

  // --- a soft bell, if the page wants one: after a gesture, and never for what is being looked at ---
  function wake() {
    if (!sounds) return;
    audio ??= new (window.AudioContext ?? window.webkitAudioContext)();
    audio.resume();
  }
  for (const type of ['pointerdown', 'keydown']) addEventListener(type, wake, { capture: true, passive: true });
  function once(task) { // of several tabs one rings
    if (!sounds || audio?.state !== 'running') return;
    if (!navigator.locks) return task();
    navigator.locks.request(key, { ifAvailable: true }, (lock) => lock && (task(), new Promise((done) => setTimeout(done, 3000)))).catch(task);
  }
  function ring() {
    [880, 660].forEach((tone, at) => {
      const voice = audio.createOscillator(), volume = audio.createGain(), start = audio.currentTime + at * 0.18;
      voice.frequency.value = tone;
      volume.gain.setValueAtTime(0.12, start);
      volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.5);
      voice.connect(volume).connect(audio.destination);
      voice.start(start);
      voice.stop(start + 0.5);
    });
  }

  // --- window.Porchlight ---
  // What the page tells of its visitor waits here for the frame, which asks nothing of the server before they act.
  let calls = [];
  function pass(...call) {
    calls.push(call);
    if (ready) tell('calls', { calls: [call] });
  }
  function reset() { // nobody's any more: nothing of who was here stays in this browser
    close();
    forget();
    clearTimeout(timer);
    frame?.remove();
    frame = null;
    ready = false;
    calls = [];
    agreed = script.dataset.consent !== 'wait';
    place();
  }
  function shutdown() {
    store('localStorage')?.setItem(key, 'null'); // other tabs hear that before it is gone
    reset();
  }
  addEventListener('storage', (event) => { if (event.key === key && event.newValue === 'null') reset(); });
  function emit(name, detail) { for (const handler of [...(handlers[name] ?? [])]) handler(detail); }
  const api = {
    open(about) { if (about?.text) pass('prefill', about.text); if (!open) show(true); },
    close, toggle,
    show() { away = false; place(); },
    hide() { away = true; place(); },
    sound(on) { sounds = !!on; },
    send(text) { pass('send', text); make(); },
    shutdown, reset: shutdown,
    setLocale(lang) { tongue = lang; again(); },
    setTheme(name) { theme = name; again(); },
    consent(yes) {
      if (agreed === !!yes) return;
      agreed = !!yes;
      if (agreed) write('agreed', 1); else forget();
      again();
      emit('consent', agreed);
    },
    on(name, handler) {
      (handlers[name] ??= new Set()).add(handler);
      return () => handlers[name].delete(handler);
    },
    push(...calls) { for (const [name, ...values] of calls) api[name]?.(...values); },
  };
  for (const name of ['setUser', 'setAttributes', 'addTags', 'removeTags', 'track', 'say', 'prefill']) api[name] = (...values) => pass(name, ...values);
  window.Porchlight = api;
  api.push(...queue);

  function picture() { // the one thing more that a page loads, when the owner chose it; until it is there, the drawing
    if (!config.picture) return;
    const image = Object.assign(new Image(), { alt: '', className: 'lamp', src: `${origin}/pictures/${config.picture}.webp` });
    image.decode().then(() => root.querySelector('.lamp').replaceWith(image)).catch(() => {});
  }
  const idle = window.requestIdleCallback ?? ((task) => setTimeout(task, 1500));
  const begin = () => idle(() => { picture(); if (agreed && read().token) make(); if (wasOpen() && !open) { itself = Date.now(); show(false); } "__PARTS__";  });
  if (document.readyState === 'complete') begin(); else addEventListener('load', begin);
})();
