// The widget document: who the visitor is, what is kept and where, and the talk with the host page's loader.

(() => {
  document.documentElement.classList.add('js');
  const root = document.documentElement, { site, door } = root.dataset, base = `/w/${site}`;
  const hosted = door === 'w' && window.name === 'porchlight' && parent !== window; // the loader says so by the frame's name
  const $ = (id) => document.getElementById(id);
  const form = $('composer');
  let token = form.elements.token.value, host = null, page = {}, open = !hosted, acted = false;

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
    if (hosted) tell('unread', { count: looking() ? 0 : news.length });
  }

  const log = createLog({
    side: 'visitor',
    onevent(fresh, stuck) {
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
    headers: () => ({ Authorization: `Bearer ${token}` }),
    hello: () => ({ token }),
    onstatus(there) {
      $('connection').textContent = there ? '' : 'No connection. Your messages stay here and go out as soon as it is back.';
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
    key: () => 'unsent-',
    fields: () => ({
      page_url: page.url ?? '', page_title: page.title ?? '', referrer: page.referrer ?? '',
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone ?? '', ...(hosted ? {} : { keep: door }),
    }),
    onsent() { $('connection').textContent = ''; live.start(); },
    onfailed() { $('connection').textContent = 'No connection. Your messages stay here and go out as soon as it is back.'; },
  });
  watchScrolling(log);
  watchField({
    ontype: (typing) => live.signal({ typing }),
    draft: () => 'draft',
    ondraft: (name, text) => keep.set(name, text || null),
  });

  async function renew() { // the token was revoked or has expired: a new beginning, said plainly
    const answer = await fetch(`${base}/session`, { method: 'POST' }).then((response) => response.json()).catch(() => null);
    if (!answer) return;
    token = answer.token;
    log.element().replaceChildren();
    log.forget();
    if (acted) keep.set('token', token);
    $('connection').textContent = 'Your earlier conversation is not here any more. This is a new one.';
  }

  document.addEventListener('htmx:config:request', ({ detail: { ctx } }) => {
    ctx.request.headers.Authorization = `Bearer ${token}`;
    if (ctx.sourceElement.matches('.retry')) act();
  });
  document.addEventListener('visibilitychange', () => count());

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
    log.decorate();
    log.toEnd();
    log.watch();
    outbox.restore();
    if (acted) live.start();
    count();
  }
  /** Another tab has acted first: this one is the same visitor. What was read there is read here. */
  async function adopt(stored) {
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
    const response = await fetch(`${base}/messages`, { headers: { Authorization: `Bearer ${token}` } }).catch(() => null);
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
      if (open) { log.toEnd(); live.wake(); }
      if (open && data.focus) $('body').focus();
      count();
    },
    kept(data) { adopt(data.keep); },
    page(data) { page = data.page; live.signal({ page }); },
  };
  if (hosted) {
    addEventListener('message', ({ source, origin, data }) => {
      if (source !== parent || (host && origin !== host) || !Object.hasOwn(heard, data?.porchlight)) return;
      if (host || data.porchlight === 'hello') heard[data.porchlight](data, origin);
    });
    $('close').addEventListener('click', () => tell('close'));
    document.addEventListener('keydown', ({ key }) => { if (key === 'Escape') tell('close'); });
    parent.postMessage({ porchlight: 'ready' }, '*'); // tells nothing but that we are here
  } else {
    own();
    addEventListener('storage', ({ key, newValue }) => { if (key === place && newValue) adopt(JSON.parse(newValue)); });
    if (document.referrer && parent !== window) page = { url: document.referrer };
    begin();
  }
})();
