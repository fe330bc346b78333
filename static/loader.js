// The loader: the only file a host page gets before the visitor acts. It draws the launcher without any
// request, opens the frame when asked, and keeps the visitor's identity in the host page's storage.
(() => {
  const config = "__CONFIG__";
  const script = document.currentScript;
  const queue = Array.isArray(window.Porchlight) ? window.Porchlight : [];
  if (window.Porchlight && !Array.isArray(window.Porchlight)) return; // the tag stands twice: one light is enough
  const origin = new URL(script.src).origin, key = `porchlight:${config.site}`;
  const allows = (source) => { const [scheme, place] = source.split('://'); return location.protocol.startsWith(scheme) && (place[0] === '*' ? location.host.endsWith(place.slice(1)) : location.host === place); };
  if (config.domains && location.origin !== origin && !config.domains.some(allows)) return console.warn(`Porchlight: ${location.origin} is not among the domains of the site "${config.site}", so this page has no chat. Add it in the inbox: Settings, Sites.`);
  const phone = matchMedia('(max-width: 480px), (max-height: 480px)');
  const handlers = {};
  let frame, away = false, itself = 0, unread = 0, open = false, ready = false, returnTo;
  let sounds = script.dataset.sound === 'on', audio;

  // --- storage: nothing before the visitor acts; a tab may remember that it was open ---
  const store = (name) => { try { return window[name]; } catch { return null; } };
  const read = () => { try { return JSON.parse(store('localStorage').getItem(key)) || {}; } catch { return memory; } };
  let memory = {};
  function write(name, value) {
    memory = { ...read(), [name]: value ?? undefined };
    try { localStorage.setItem(key, JSON.stringify(memory)); } catch { /* this page's life is all it has */ }
  }
  function rememberOpen() {
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
:host{all:initial;color-scheme:light dark}
button{all:unset;box-sizing:border-box;position:fixed;inset-inline-end:calc(20px + env(safe-area-inset-right));bottom:calc(20px + env(safe-area-inset-bottom));width:56px;height:56px;border-radius:50%;background:#b45309;color:#fff;cursor:pointer;z-index:2147483000;display:grid;place-items:center;box-shadow:0 2px 12px #0004;transition:transform .15s ease-out}
button:hover{transform:scale(1.05)}
button:focus-visible{outline:3px solid #fff;box-shadow:0 0 0 6px #b45309}
[hidden]{display:none!important}
svg{width:30px;height:30px;fill:none;stroke:currentColor;stroke-width:2.2;stroke-linecap:round;stroke-linejoin:round}
.flame{fill:currentColor}
b{position:absolute;top:-4px;inset-inline-end:-4px;min-width:22px;height:22px;padding:0 6px;box-sizing:border-box;border-radius:11px;background:#b42318;color:#fff;border:2px solid #fff;font:700 12px/18px system-ui,sans-serif;text-align:center}
iframe{all:unset;position:fixed;inset-inline-end:calc(20px + env(safe-area-inset-right));bottom:calc(88px + env(safe-area-inset-bottom));width:384px;height:min(680px,calc(100dvh - 104px));max-width:calc(100vw - 40px);border-radius:16px;z-index:2147483000;box-shadow:0 8px 40px #0003;background:Canvas;color-scheme:light dark}
[aria-expanded=true] .lamp,[aria-expanded=false] .down{display:none}
div{position:fixed;inset-inline-end:calc(20px + env(safe-area-inset-right));bottom:calc(88px + env(safe-area-inset-bottom));width:384px;max-width:calc(100vw - 40px);box-sizing:border-box;padding:20px;border-radius:16px;z-index:2147483000;box-shadow:0 8px 40px #0003;background:Canvas;color:CanvasText;font:16px/1.45 system-ui,sans-serif;animation:a .2s .3s both}
@keyframes a{from{visibility:hidden}}
@media (max-width:480px),(max-height:480px){iframe{inset:0;width:100%;height:100dvh;max-width:none;border-radius:0}}
@media (prefers-reduced-motion:reduce){button{transition:none}}`);
  root.adoptedStyleSheets = [sheet];

  function draw(name, attributes, ...children) {
    const el = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const key in attributes) el.setAttribute(key, attributes[key]);
    el.append(...children);
    return el;
  }
  const launcher = document.createElement('button');
  launcher.type = 'button';
  launcher.title = 'Chat';
  const icon = (shape, ...paths) => draw('svg', { viewBox: '__BOX__', class: shape, 'aria-hidden': 'true' }, ...paths);
  launcher.append(
    icon('lamp', draw('path', { d: '__LANTERN__' }), draw('path', { class: 'flame', d: '__FLAME__' })),
    icon('down', draw('path', { d: 'M7 12l9 9 9-9' })),
  );
  const badge = document.createElement('b');
  badge.hidden = true;
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
    launcher.setAttribute('aria-label', 'Open chat' + (unread ? `, ${unread} new ${unread === 1 ? 'message' : 'messages'}` : ''));
    launcher.setAttribute('aria-expanded', open);
    badge.textContent = unread > 99 ? '99+' : unread;
    badge.hidden = !unread;
  }

  // --- the frame: made on first open, or when idle once the visitor has acted ---
  function make() {
    if (frame) return;
    frame = document.createElement('iframe');
    frame.title = 'Chat';
    frame.name = 'porchlight'; // by this the document knows that a loader will speak to it
    frame.hidden = true;
    frame.allow = 'clipboard-write';
    frame.src = `${origin}/w/${config.site}`;
    frame.addEventListener('load', () => late(2000));
    late(10000);
    root.append(frame);
  }
  // A frame that does not speak is a failed one (server away, a proxy's 502): it is taken away and tried again.
  let timer, tries = 0;
  function late(patience) {
    if (ready) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      frame.remove();
      frame = null;
      waiting.textContent = 'The chat can’t be reached just now. It opens by itself as soon as it can.';
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
      emit('ready');
    },
    keep({ name, value }) {
      if (name === 'token' && (read().token ?? value) !== value) return tell('kept', { keep: read() }); // another tab was first
      write(name, value);
      if (name === 'token') rememberOpen();
    },
    unread({ count }) {
      if (count === unread) return;
      if (count > unread) { emit('message'); once(ring); }
      unread = count; label(); emit('unread', count);
    },
    close: () => close(),
  };
  addEventListener('message', ({ source, origin: from, data }) => {
    if (!frame || source !== frame.contentWindow || from !== origin) return;
    if (Object.hasOwn(heard, data?.porchlight)) heard[data.porchlight](data);
  });

  addEventListener('storage', (event) => { if (event.key === key && ready) tell('kept', { keep: read() }); });

  function show(byPerson) {
    make();
    open = true;
    if (byPerson) returnTo = root.activeElement || document.activeElement;
    waiting.textContent = 'Opening the chat…';
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
  const moved = () => { if (location.href !== at) { at = location.href; tell('page', { page: page() }); } };
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
  function emit(name, detail) { for (const handler of [...(handlers[name] ?? [])]) handler(detail); }
  const api = {
    open: () => { if (!open) show(true); },
    close, toggle,
    show() { away = false; place(); },
    hide() { away = true; place(); },
    sound(on) { sounds = !!on; },
    on(name, handler) {
      (handlers[name] ??= new Set()).add(handler);
      return () => handlers[name].delete(handler);
    },
    push(...calls) { for (const [name, ...values] of calls) api[name]?.(...values); },
  };
  window.Porchlight = api;
  api.push(...queue);

  const idle = window.requestIdleCallback ?? ((task) => setTimeout(task, 1500));
  const begin = () => idle(() => { if (read().token) make(); if (wasOpen() && !open) { itself = Date.now(); show(false); } });
  if (document.readyState === 'complete') begin(); else addEventListener('load', begin);
})();
