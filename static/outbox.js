// The outbox: what was written and is not stored yet. Each unsent message is a row in the log with a real
// hx-post form in it; one goes up at a time, in order, with the same client id until the server has it.

function createOutbox({ log, keep, fields, key, onsent, onfailed }) {
  let busy = false, timer = 0, tries = 0;
  const composer = () => $('composer');
  const field = () => $('body');
  const rows = () => [...(log.element()?.querySelectorAll('.pending') ?? [])];
  const uuid = () => crypto.randomUUID?.() ?? '10000000-1000-4000-8000-100000000000'.replace(/[018]/g,
    (c) => (c ^ crypto.getRandomValues(new Uint8Array(1))[0] & 15 >> c / 4).toString(16)); // no randomUUID without TLS

  function add(clientId, body, at) {
    const row = $('echo').content.cloneNode(true);
    const article = row.querySelector('.message'), form = row.querySelector('form');
    article.id = 'pending-' + clientId;
    article.dataset.kept = key() + clientId;
    article.className = 'message pending';
    article.removeAttribute('data-event');
    article.querySelector('.state').removeAttribute('id');
    article.querySelector('.body').textContent = body;
    const time = article.querySelector('time'), date = new Date(at);
    time.dateTime = date.toISOString();
    time.textContent = log.clock.format(date);
    form.elements.body.value = body;
    form.elements.client_id.value = clientId;
    form.setAttribute('hx-post', composer().getAttribute('hx-post'));
    article.append(form);
    log.element().append(article);
    htmx.process(article);
    log.toEnd();
    return article;
  }

  function say(row, state) {
    row.querySelector('.state').textContent = state;
    row.toggleAttribute('data-failed', state === words.failed);
  }
  function complain(sentence = '') { $('composer-error').textContent = sentence; }

  function write(event) { // the composer is emptied in the task of the submit
    event.preventDefault();
    const body = field().value;
    field().focus(); // a tap on the button would close a phone's keyboard
    if (!body.trim()) return complain(words.empty);
    if ([...body].length > Number(field().dataset.limit)) return field().focus(); // what stands below it says so
    const clientId = uuid(), at = Date.now();
    complain();
    field().value = '';
    field().dispatchEvent(new Event('input', { bubbles: true }));
    add(clientId, body, at);
    keep.set(key() + clientId, { body, at });
    flush();
  }

  function flush() {
    clearTimeout(timer);
    const row = rows().find((each) => !each.dataset.refused);
    if (busy || !row) return;
    busy = true;
    say(row, words.states[0]);
    htmx.trigger(row.querySelector('form'), 'send');
  }

  function later(seconds) { clearTimeout(timer); timer = setTimeout(flush, seconds * 1000); }

  function finished(row, { response, text = '' }) {
    const status = response?.status ?? 0;
    busy = false;
    if (status === 200 && isBatch(text)) {
      tries = 0;
      keep.set(row.dataset.kept, null);
      log.apply(text);
      $(row.id)?.remove(); // stored before, and drawn before
      onsent?.();
      return flush();
    }
    if (!row.isConnected) { // another way was faster: the message is in the log
      if (document.querySelector(`[data-client-id="${row.id.slice(8)}"]`)) keep.set(row.dataset.kept, null);
      return flush();
    }
    say(row, words.failed);
    const sentence = new DOMParser().parseFromString(text, 'text/html').querySelector('.error')?.textContent;
    if (/data-challenge/.test(text)) { // the server is under load, and asks a stranger's browser for some work
      busy = true;
      return import('/static/proof.now.js').then((code) => code.default(row, text)).catch(() => refuse(row, sentence)).then(() => { busy = false; flush(); });
    }
    if (status >= 400 && status < 500) return refuse(row, sentence ?? words.refused);
    onfailed?.();
    later(jitter(15000, tries++) / 1000);
  }

  function refuse(row, sentence) {
    row.dataset.refused = '1';
    if (!field().value) {
      field().value = row.querySelector('textarea').value;
      field().dispatchEvent(new Event('input', { bubbles: true }));
      keep.set(row.dataset.kept, null);
      row.remove();
    }
    complain(sentence); // after what is typed again, which takes a sentence away
    flush();
  }

  addEventListener('htmx:config:request', (event) => {
    const { ctx } = event.detail, source = ctx.sourceElement;
    if (source.id === 'composer') return write(event);
    if (!source.matches('.retry')) return;
    if (ctx.sourceEvent.type === 'submit') { // the button: this row goes again with the next flush
      event.preventDefault();
      delete source.closest('.pending').dataset.refused;
      return flush();
    }
    const added = { since: log.cursor, state: log.state, ...fields() };
    for (const name in added) ctx.request.body.set(name, added[name]);
    ctx.fetch = (url, options) => fetch(url, options).catch(() => new Response('', { status: 503 }));
  });
  addEventListener('htmx:finally:request', ({ detail: { ctx }, target }) => {
    const row = target.closest?.('.pending') ?? ctx.sourceElement.closest('.pending');
    if (ctx.sourceElement.matches('.retry')) finished(row ?? ctx.sourceElement.closest('.message'), ctx);
  });

  return {
    flush,
    /** Put what an earlier page could not send back into the log, and send it. */
    restore() {
      busy = false;
      for (const [name, value] of Object.entries(keep.all())) {
        const clientId = name.slice(key().length);
        if (!name.startsWith(key()) || !/^[\w-]+$/.test(clientId) || typeof value?.body !== 'string' || $('pending-' + clientId)) continue;
        if (document.querySelector(`[data-client-id="${clientId}"]`)) keep.set(name, null); // it is in the log
        else add(clientId, value.body, value.at || Date.now());
      }
      flush();
    },
  };
}

/** The text field: grows, counts near the end, Enter sends, Shift+Enter breaks, never in the middle of an IME's work. */
function watchField({ ontype, draft, ondraft }) {
  const limit = (field) => Number(field.dataset.limit);
  let typed = 0, timer = 0;
  addEventListener('keydown', (event) => {
    if (event.target.id !== 'body' || event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    event.target.form.requestSubmit();
  });
  addEventListener('input', ({ target }) => {
    if (target.id !== 'body') return;
    target.style.height = 'auto';
    target.style.height = target.scrollHeight + 2 + 'px'; // and its border
    const left = limit(target) - [...target.value].length, note = $('left');
    note.hidden = left > 200;
    note.textContent = counted(left < 0 ? words.over : words.left, Math.abs(left));
    note.toggleAttribute('data-over', left < 0);
    $('composer-error').textContent = '';
    clearTimeout(timer);
    if (target.value) timer = setTimeout(ondraft, 300, draft(), target.value); else ondraft(draft(), '');
    if (!target.value) { if (typed) ontype(false); typed = 0; }
    else if (Date.now() - typed > 3000) { typed = Date.now(); ontype(true); }
  });
}
