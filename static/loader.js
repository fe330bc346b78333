// The loader: the only file a host page gets before the visitor acts. It draws the launcher without any
// request, opens the frame when asked, and keeps the visitor's identity in the host page's storage.
(() => {
  const config = "__CONFIG__";
  const script = document.currentScript;
  const queue = Array.isArray(window.Porchlight) ? window.Porchlight : [];
  if (window.Porchlight && !Array.isArray(window.Porchlight)) return; // the tag stands twice: one light is enough
  const origin = new URL(script.src).origin, place = `porchlight:${config.site}`;
  const phone = matchMedia('(max-width: 480px), (max-height: 480px)');
  const handlers = {};
  let frame, away = false, unread = 0, open = false, ready = false, returnTo;

  // --- storage: nothing before the visitor acts; a tab may remember that it was open ---
  const store = (name) => { try { return window[name]; } catch { return null; } };
  const read = () => { try { return JSON.parse(store('localStorage').getItem(place)) || {}; } catch { return memory; } };
  let memory = {};
  function write(name, value) {
    memory = { ...read(), [name]: value ?? undefined };
    try { localStorage.setItem(place, JSON.stringify(memory)); } catch { /* this page's life is all it has */ }
  }
  function rememberOpen() {
    if (read().token) write('open', open || null);
    try { sessionStorage.setItem(place, open ? '1' : ''); } catch { /* not remembered */ }
  }
  function wasOpen() {
    try { const tab = sessionStorage.getItem(place); if (tab !== null) return tab === '1'; } catch { /* no */ }
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
  launcher.append(draw('svg', { viewBox: '__BOX__', 'aria-hidden': 'true' }, draw('path', { d: '__LANTERN__' }), draw('path', { class: 'flame', d: '__FLAME__' })));
  const badge = document.createElement('b');
  badge.hidden = true;
  badge.setAttribute('aria-hidden', 'true');
  launcher.append(badge);
  launcher.addEventListener('click', () => toggle());
  root.append(launcher);
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
    root.append(frame);
  }
  const page = () => ({ url: location.href, title: document.title, referrer: document.referrer });
  const tell = (type, more) => frame?.contentWindow?.postMessage({ porchlight: type, ...more }, origin);
  const heard = {
    ready() { ready = true; tell('hello', { keep: read(), page: page(), open, focus: open && !!returnTo }); emit('ready'); },
    keep({ name, value }) { write(name, value); if (name === 'token') rememberOpen(); },
    unread({ count }) {
      if (count === unread) return;
      if (count > unread) emit('message');
      unread = count; label(); emit('unread', count);
    },
    close: () => close(),
  };
  addEventListener('message', ({ source, origin: from, data }) => {
    if (!frame || source !== frame.contentWindow || from !== origin) return;
    if (Object.hasOwn(heard, data?.porchlight)) heard[data.porchlight](data);
  });

  function show(byPerson) {
    make();
    open = true;
    if (byPerson) returnTo = root.activeElement || document.activeElement;
    frame.hidden = false;
    if (phone.matches) { document.documentElement.style.overflow = 'hidden'; launcher.hidden = true; }
    fit(); label(); rememberOpen();
    if (byPerson) frame.focus();
    if (ready) tell('shown', { open, focus: byPerson });
    emit('open');
  }
  function close() {
    if (!open) return;
    open = false;
    frame.hidden = true;
    document.documentElement.style.overflow = '';
    launcher.hidden = away;
    fit(); label(); rememberOpen();
    tell('shown', { open });
    (away ? returnTo : launcher)?.focus?.();
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

  // --- window.Porchlight ---
  function emit(name, detail) { for (const handler of [...(handlers[name] ?? [])]) handler(detail); }
  const api = {
    open: () => { if (!open) show(true); },
    close, toggle,
    show() { away = false; launcher.hidden = open && phone.matches; },
    hide() { away = true; launcher.hidden = true; },
    on(name, handler) {
      (handlers[name] ??= new Set()).add(handler);
      return () => handlers[name].delete(handler);
    },
    push(...calls) { for (const [name, ...values] of calls) api[name]?.(...values); },
  };
  window.Porchlight = api;
  api.push(...queue);

  const idle = window.requestIdleCallback ?? ((task) => setTimeout(task, 1500));
  const begin = () => idle(() => { if (read().token) make(); if (wasOpen() && !open) show(false); });
  if (document.readyState === 'complete') begin(); else addEventListener('load', begin);
})();
