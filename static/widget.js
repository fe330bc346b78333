// The widget document: who the visitor is, what is kept and where, and the talk with the host page's loader.

// In the document these would cost 110 bytes more of the opening; htmx reads them when this script is over.
Object.assign(htmx.config, { history: false, includeIndicatorCSS: false, defaultTimeout: 15000, defaultSettleDelay: 0, noSwap: [204, 304, '4xx', '5xx'] });

(() => {
  const { site, door } = root.dataset, base = `/w/${site}`;
  root.classList.add('js');
  const hosted = door === 'w' && window.name === 'porchlight' && parent !== window; // the loader says so by the frame's name
  const form = $('composer');
  let token = form.elements.token.value, host = null, page = {}, open = !hosted, acted = false, met = false;

  // --- one door for everything that is kept: the host page's storage, our own, or memory ---
  const place = `porchlight:${site}`;
  let kept = {};
  function own() {
    try {
      kept = JSON.parse(localStorage.getItem(place) || '{}');
      return true;
    } catch { $('keeping').hidden = false; return false; }
  }
  const keep = {
    get: (name) => kept[name],
    all: () => kept,
    set(name, value) {
      if (value === null) delete kept[name]; else kept[name] = value;
      if (!acted) return;
      if (hosted) return tell('keep', { name, value });
      try {
        const stored = { ...JSON.parse(localStorage.getItem(place) || '{}'), [name]: value ?? undefined };
        localStorage.setItem(place, JSON.stringify(stored));
      } catch { /* said already */ }
    },
  };
  function act() { // the visitor has acted: from here on something is stored
    if (acted) return;
    acted = true;
    keep.set('token', token);
    for (const [name, value] of Object.entries(kept)) keep.set(name, value);
  }

  const headers = () => ({ Authorization: `Bearer ${token}`, 'Accept-Language': root.lang });
  const fields = () => ({ // what is told along with the visitor's own words
    page_url: page.url ?? '', page_title: page.title ?? '', referrer: page.referrer ?? '',
    language: navigator.language, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone ?? '', ...(hosted ? {} : { keep: door }),
  });

  // --- what is asked before the first message: a form in the composer's place ---
  const entry = () => document.querySelector('[data-entry]') ?? $('body');
  function ask() { // the document was drawn before it was known who looks at it
    if (!$('prechat')) return;
    $('prechat').hidden = true;
    htmx.ajax('GET', `${base}/form`, { target: '#prechat', swap: 'outerHTML' });
  }
  addEventListener('htmx:after:swap', ({ detail: { ctx } }) => {
    if (ctx.target.id !== 'prechat' || ctx.request.method !== 'POST') return;
    if (!$('prechat-form')) { act(); live.start(); if (hosted) tell('lead'); }
    entry().focus();
  });

  // --- what the page's code tells and asks for: what heeds it is fetched when there is something ---
  let calls = null;
  const heed = async (list) => {
    calls ??= import('/static/calls.now.js').then((code) => code.default({
      base, log, fields, act, count, start: live.start, now: () => ({ token, acted, open }), recall() { kept.token = token; return recall(); },
    })).catch(() => { calls = null; });
    (await calls)?.heed(list);
  };

  // --- when somebody is back, in the time of who reads it ---
  function back() {
    for (const el of document.querySelectorAll('.back')) {
      const at = new Date(el.dataset.at), days = Math.round((new Date(at).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 864e5);
      const said = words[['today', 'tomorrow'][days] ?? 'day'];
      const day = days < 7 ? { weekday: 'long' } : { day: 'numeric', month: 'long' };
      const parts = { time: log.clock.format(at), day: at.toLocaleDateString(root.lang, day) };
      const text = said.replace(/{(\w+)}/g, (_, name) => parts[name]);
      if (el.textContent !== text) el.textContent = text;
    }
  }
  /** Nobody is home for what was just written: open the way by which an answer reaches who leaves, once. */
  function reach() {
    const way = document.querySelector('#address[data-none]:not([open])');
    if (!way || $('presence').matches('[data-home]')) return;
    way.removeAttribute('data-none');
    way.open = true;
  }
  setInterval(() => {
    back();
    if (!acted && looking()) live.catchUp(); // nothing is stored, and no stream is held, before the visitor acts
  }, 60000);

  // --- unread, seen ---
  const looking = () => open && !document.hidden;
  let seen = Number($('seen').content);
  function count() {
    const news = [...log.element().querySelectorAll('.message[data-by="agent"]')].filter((el) => Number(el.dataset.event) > seen);
    if (looking() && news.length) {
      seen = log.cursor;
      live.signal({ seen });
      if (kept.token) keep.set('seen', seen); // the launchers of other tabs
    }
    const unread = looking() ? 0 : news.length;
    if (hosted) tell('unread', { count: unread, label: unread ? counted(words.unread, unread) : words.open, here: $('presence').matches('[data-home]') });
  }

  const log = createLog({
    side: 'visitor',
    onevent(fresh, stuck) {
      back();
      if (fresh.some((el) => el.dataset.by === 'agent')) {
        live.signal({ delivered: log.cursor });
        if (!stuck) $('pill').hidden = false;
      }
      count();
    },
  });
  const live = createLive({
    base, log,
    name: () => base + token.slice(-16), // another visitor's frame in this browser is no tab of ours
    headers,
    hello: () => ({ token, lang: root.lang }),
    onstatus(there) {
      $('connection').textContent = there ? '' : words.lost;
      if (there) outbox.flush();
    },
    onopen() {
      const read = looking() ? { seen: log.cursor } : {};
      live.signal({ delivered: log.cursor, ...read, ...(page.url ? { page } : {}) });
    },
    onrefused: renew,
  });
  const outbox = createOutbox({
    log, keep,
    key: () => 'unsent-', fields,
    onsent() { $('connection').textContent = ''; live.start(); reach(); calls?.then((does) => does?.tell()); },
    onfailed() { $('connection').textContent = words.lost; },
  });
  watchScrolling(log);
  watchField({
    ontype: (typing) => live.signal({ typing }),
    draft: () => 'draft',
    ondraft: (name, text) => keep.set(name, text || null),
  });

  async function renew() { // the token was revoked or has expired: a new beginning, said plainly
    const answer = await fetch(`${base}/session`, { method: 'POST', headers: { Authorization: `Bearer ${token}` } }).then((response) => response.json()).catch(() => null);
    if (!answer) return;
    token = answer.token;
    acted = false; // until the visitor writes again nothing is kept of the new one
    delete kept.token;
    log.element().replaceChildren();
    log.forget();
    if (hosted) tell('forget'); else try { localStorage.removeItem(place); } catch { /* nothing is kept there */ }
    ask();
    $('connection').textContent = words.renewed;
  }

  addEventListener('htmx:config:request', ({ detail: { ctx } }) => {
    Object.assign(ctx.request.headers, headers());
    if (ctx.sourceElement.matches('.retry')) act();
    if (ctx.sourceElement.id === 'prechat-form') for (const [name, value] of Object.entries(fields())) ctx.request.body.set(name, value);
  });
  addEventListener('visibilitychange', () => count());
  addEventListener('htmx:before:swap', (e) => { // who typed before the answer came keeps what they typed
    if (e.detail.ctx.sourceElement.id === 'address' && $('email').value) e.preventDefault();
  });
  addEventListener('submit', ({ target }) => { if (target.matches('.data')) target.elements.token.value = token; });

  /** Begin with what is kept: the talk so far, the draft, what was not sent. */
  async function begin() {
    if (hosted && kept.token !== token && log.cursor) { // drawn for another page's visitor: not for who framed us
      log.element().replaceChildren();
      log.forget();
      token = kept.token ?? (await fetch(`${base}/session`, { method: 'POST' }).then((answer) => answer.json())).token;
    }
    if (kept.token) {
      acted = true;
      if (kept.token !== token || !log.cursor) await recall();
    } else if (log.cursor && !hosted) act();
    if (kept.draft && !$('body').value) {
      $('body').value = kept.draft;
      $('body').dispatchEvent(new Event('input', { bubbles: true }));
    }
    back();
    log.decorate();
    log.toEnd();
    log.watch();
    outbox.restore();
    if (acted) live.start();
    count();
  }
  /** Another tab has acted first: this one is the same visitor. What was read there is read here. */
  async function adopt(stored) {
    if (acted && !stored.token) return location.reload(); // forgotten in another tab, so here too
    if (acted && stored.token === token && stored.seen > seen) {
      seen = stored.seen;
      count();
    }
    if (acted || !stored.token) return;
    kept = stored;
    acted = true;
    await recall();
    live.start();
    count();
  }
  async function recall() {
    token = kept.token;
    log.element().setAttribute('aria-busy', 'true');
    ask();
    const response = await fetch(`${base}/messages`, { headers: headers() }).catch(() => null);
    if (response?.status === 401) return renew();
    if (response?.ok) {
      const html = await response.text();
      seen = Number(html.match(/<meta id="seen" content="(\d+)"/)[1]);
      log.apply(html);
    }
    setTimeout(() => log.element().removeAttribute('aria-busy'), 500);
  }

  // --- the loader ---
  function tell(type, more) { parent.postMessage({ porchlight: type, ...more }, host ?? '*'); }
  const heard = {
    hello(data, origin) {
      host = origin;
      kept = data.keep ?? {};
      page = data.page ?? {};
      heard.shown(data);
      $('close').hidden = false;
      begin();
    },
    shown(data) {
      open = data.open;
      if (open) { log.toEnd(); live.wake(); if (!acted && met) live.catchUp(); }
      met = true;
      if (open && data.focus) entry().focus();
      count();
      calls?.then((does) => does?.tell());
    },
    kept(data) { adopt(data.keep); },
    calls(data) { heed(data.calls); tell('heeded'); },
    page(data) { page = data.page; live.signal({ page }); },
  };
  if (hosted) {
    addEventListener('message', ({ source, origin, data }) => {
      if (source !== parent || (host && origin !== host) || !Object.hasOwn(heard, data?.porchlight)) return;
      if (host || data.porchlight === 'hello') heard[data.porchlight](data, origin);
    });
    $('close').addEventListener('click', () => tell('close'));
    // WebKit lets no script in a frame of another site move the focus before it was touched: the first letter does.
    addEventListener('keydown', ({ key, target, ctrlKey, metaKey }) => { if (key === 'Escape') tell('close'); else if (!(key[1] || ctrlKey || metaKey) && target === document.body) entry().focus(); });
    onpagehide = (event) => event.persisted || tell('leave');
    tell('ready'); // to anybody: it tells nothing but that we are here
  } else {
    own();
    addEventListener('storage', ({ key, newValue }) => { if (key === place) adopt(JSON.parse(newValue) ?? {}); });
    if (parent === window) page = { url: location.href, title: document.title, referrer: document.referrer };
    else if (document.referrer) page = { url: document.referrer };
    begin();
  }
})();
