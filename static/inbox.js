// The inbox: list, thread and alerts over one live connection.

(() => {
  document.documentElement.classList.add('js');
  const body = document.body, csrf = JSON.parse(body.getAttribute('hx-headers:inherited'))['X-CSRF'];
  const list = $('conversations');
  const thread = () => document.querySelector('[data-thread]')?.dataset.thread ?? null;
  const alerts = createAlerts({ csrf, thread, onGo });

  // --- what is typed and not sent: kept in this browser, by conversation ---
  const place = 'porchlight:inbox';
  const read = () => { try { return JSON.parse(localStorage.getItem(place)) || {}; } catch { return {}; } };
  const keep = {
    all: read,
    set(name, value) {
      try { localStorage.setItem(place, JSON.stringify({ ...read(), [name]: value ?? undefined })); } catch { /* memory: the page */ }
    },
  };

  // --- the list: who waits longest on top; rows move only when their rank changed ---
  let pressed = false; // a row that is replaced under a pressed button loses its click
  const held = new Map(), quiet = new Set(); // quiet: the suspicious ones, which call nobody
  function release() {
    pressed = false;
    for (const row of held.values()) arrange(row);
    held.clear();
  }
  list.addEventListener('pointerdown', () => { pressed = true; });
  for (const name of ['pointerup', 'pointercancel']) addEventListener(name, () => setTimeout(release)); // after the click
  function arrange(row) {
    if (!row.classList.contains('row')) return false;
    if (pressed) { held.set(row.id, row); return true; }
    const old = $(row.id), number = row.id.split('-')[1];
    const view = 'closed' in row.dataset ? 'closed' : 'suspected' in row.dataset ? 'suspicious' : 'open';
    if (view === 'suspicious') quiet.add(number); else quiet.delete(number);
    const elsewhere = list.dataset.topic && list.dataset.topic !== row.dataset.topic;
    if (elsewhere || view !== list.dataset.view) { old?.remove(); mark(); return true; }
    const rank = Number(row.dataset.rank);
    const next = [...list.querySelectorAll('.row')].find((each) => each.id !== row.id && Number(each.dataset.rank) > rank);
    if (!next && !old && list.querySelector('.more')) return true; // it belongs to a page that is not shown yet
    if (old?.isEqualNode(row)) return true;
    const focused = old?.contains(document.activeElement);
    if (old && old.dataset.rank === row.dataset.rank) old.replaceWith(row);
    else { old?.remove(); list.insertBefore(row, next ?? list.querySelector('.more')); }
    htmx.process(row);
    if (focused) row.querySelector('a').focus();
    times(row);
    mark();
    return true;
  }
  function mark() {
    for (const link of list.querySelectorAll('a')) {
      if (link.getAttribute('href') === `/inbox/conversations/${thread()}`) link.setAttribute('aria-current', 'true');
      else link.removeAttribute('aria-current');
    }
    if (list.dataset.view === 'open') alerts.count(list.querySelectorAll('[data-unread]').length);
    if (list.querySelector('.row')) $('welcome')?.replaceChildren(document.createTextNode(own.choose));
  }

  // --- times that pass ---
  const units = [[60, 'minute', 60], [24, 'hour', 3600], [7, 'day', 86400], [Infinity, 'week', 604800]];
  function age(date) {
    const seconds = Math.max(0, (Date.now() - date) / 1000);
    if (seconds < 60) return '';
    const [, unit, size] = units.find(([most, , size]) => seconds / size < most);
    return new Intl.NumberFormat(pageLanguage, { style: 'unit', unit, unitDisplay: 'short' }).format(Math.floor(seconds / size));
  }
  function times(scope = document) {
    for (const time of scope.querySelectorAll('time[data-relative]')) {
      const date = new Date(time.dateTime), passed = age(date);
      time.title = date.toLocaleString();
      if (time.dataset.relative === 'waiting') time.textContent = fill(own.waiting, { time: passed || own.now });
      else if (time.closest('.presence, dd')) time.textContent = passed ? fill(own.ago, { time: passed }) : own.justNow;
      else time.textContent = passed || own.now;
    }
    for (const time of scope.querySelectorAll('time[data-zone]')) {
      try { time.textContent = new Intl.DateTimeFormat(undefined, { timeStyle: 'short', timeZone: time.dataset.zone }).format(); }
      catch { /* a zone that this browser does not know stays as it is */ }
    }
  }
  setInterval(times, 20000);

  // --- alerts ---
  function told(el) { // what an alert says of a message
    const { conversation } = el.dataset, unread = () => Number($('conversation-' + conversation)?.dataset.unread ?? 0);
    return {
      conversation, event: Number(el.dataset.event), url: `/inbox/conversations/${conversation}`, count: unread(), unread,
      name: el.querySelector('.author').textContent, body: el.querySelector('.body')?.textContent || own.file,
    };
  }
  let write = false; // a "Reply" on an alert wants the composer, on a phone too
  function onGo({ go, write: wants, draft }) {
    const where = `/inbox/conversations/${thread()}`, to = go.split('/').pop();
    if (draft) keep.set(`draft-${to}`, draft);
    write = Boolean(wants);
    if (go === where) return opened();
    const link = list.querySelector(`a[href="${go}"]`);
    if (link) htmx.trigger(link, 'click');
    else if (go !== '/inbox') location.assign(go + (wants ? '#body' : ''));
  }

  // --- the thread ---
  function looked() {
    alerts.look();
    if (thread() && !document.hidden && document.hasFocus() && log.cursor) {
      const row = $('conversation-' + thread());
      if (row?.dataset.unread || sinceLook !== log.cursor) live.signal({ conversation: Number(thread()), seen: log.cursor });
      sinceLook = log.cursor;
    }
  }
  let sinceLook = 0;
  const log = createLog({
    side: 'agent',
    onstate: arrange,
    onreset: () => location.reload(),
    onevent(fresh, stuck) {
      times();
      if (!fresh.length) return;
      const news = fresh.filter((el) => el.dataset.by === 'visitor' && el.classList.contains('message') && !quiet.has(el.dataset.conversation));
      live.signal({ delivered: log.cursor });
      const last = news.at(-1);
      if (last) {
        alerts.news([...new Map(news.map((el) => [el.dataset.conversation, el])).values()].map(told));
        if (!stuck && last.isConnected) $('pill').hidden = false;
      }
      if (fresh.some((el) => el.classList.contains('line') && el.dataset.conversation === thread())) refresh();
      looked();
    },
  });
  const headers = () => ({ 'X-CSRF': csrf });
  const live = createLive({
    base: '/inbox', log, headers,
    name: () => '/inbox',
    hello: () => ({}),
    onstatus(there) {
      $('connection').textContent = there ? '' : missed ? own.unopened : own.offline;
      if (there && missed) again();
      if (there) outbox.flush();
    },
    onopen() { live.signal({ delivered: log.cursor }); sinceLook = 0; looked(); },
    onrefused: () => location.assign(`/inbox/login?next=${encodeURIComponent(location.pathname)}`),
  });
  const outbox = createOutbox({
    log, keep,
    key: () => `unsent-${thread()}-`,
    fields: () => ({}),
    onsent() { $('connection').textContent = ''; },
    onfailed() { $('connection').textContent = own.offline; },
  });
  watchScrolling(log);
  watchField({
    ontype: (typing) => live.signal({ conversation: Number(thread()), typing }),
    draft: () => `draft-${thread()}`,
    ondraft: (name, text) => keep.set(name, text || null),
  });

  function opened() { // a thread was drawn, by the page or by htmx
    body.toggleAttribute('data-open', Boolean(thread()));
    const drawn = Number($('pane-cursor')?.content ?? log.cursor);
    if (drawn < log.cursor) live.catchUp(drawn); // said between the drawing and the swap
    const field = $('body'), draft = read()[`draft-${thread()}`];
    if (field && draft && !field.value) { field.value = draft; field.dispatchEvent(new Event('input', { bubbles: true })); }
    log.decorate();
    log.toEnd();
    log.watch();
    times();
    mark();
    sinceLook = 0;
    if (thread()) outbox.restore();
    if (field && (write || location.hash === '#body')) field.focus({ preventScroll: true });
    looked();
  }
  function refresh() { // closed or opened again, here or elsewhere: the pane's head changes, the composer stays
    htmx.ajax('GET', `/inbox/conversations/${thread()}`, { target: '.thread-head', select: '.thread-head', swap: 'outerHTML' });
  }
  // A conversation that could not be opened is said, and opened as soon as there is a connection.
  let missed = '';
  function again() { htmx.ajax('GET', missed, { target: '#pane', swap: 'innerHTML', push: missed }); }
  for (const name of ['htmx:error', 'htmx:response:error']) {
    document.addEventListener(name, ({ detail: { ctx } }) => {
      if (ctx?.target?.id !== 'pane' || ctx.request.method !== 'GET') return;
      missed = ctx.request.action;
      $('connection').textContent = own.unopened;
    });
  }
  document.addEventListener('htmx:after:swap', ({ detail: { ctx } }) => {
    if (ctx.target?.id !== 'pane') return;
    missed = '';
    opened();
    const turned = /(closure|opening)$/.test(ctx.request.action);
    const next = turned ? '.thread-head button' : write || matchMedia('(pointer: fine)').matches ? '#body' : '#pane';
    write = false;
    document.querySelector(next)?.focus({ preventScroll: true }); // on a phone the keyboard would cover the thread
  });
  document.addEventListener('htmx:before:history:restore', (event) => {
    event.preventDefault();
    htmx.ajax('GET', event.detail.path, { target: '#pane', swap: 'innerHTML' });
  });
  document.addEventListener('visibilitychange', looked);
  addEventListener('focus', looked);

  opened();
  live.start();
})();
