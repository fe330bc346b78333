// The log: applies batches. Each event once, in order; state always; the reader's place in the text kept.

const $ = (id) => document.getElementById(id), root = document.documentElement;
const words = JSON.parse($('words').content); // what scripts say, in the page's language
const counted = (forms, n) => {
  const { lang } = root;
  return (forms[new Intl.PluralRules(lang).select(n)] ?? forms.other).replace('{n}', n.toLocaleString(lang));
};

function createLog({ side, onevent, onstate, onreset }) {
  const meta = (id) => $(id)?.content;
  let cursor = Number(meta('cursor') || 0), state = meta('state') || '';
  const element = () => $('log');
  const mine = (el) => !element()?.dataset.conversation || el.dataset.conversation === element().dataset.conversation;

  /** Take a batch. `floor`: the cursor from which it was asked for, where that is not ours (a pane drawn earlier). */
  function apply(html, floor = cursor) {
    const content = document.createElement('template');
    content.innerHTML = html;
    const end = content.content.querySelector('#cursor'), next = Number(end.content);
    const reset = 'reset' in end.dataset;
    const stick = atEnd();
    if (reset) { element()?.replaceChildren(...pending()); cursor = floor = 0; }
    const fresh = [];
    for (const el of [...content.content.children]) {
      if (el.tagName === 'META') { if (el.id === 'state') state = el.content; continue; }
      if (!el.dataset.event) place(el);
      else if (Number(el.dataset.event) > floor) {
        draw(el);
        if (Number(el.dataset.event) > cursor) fresh.push(el);
      }
    }
    cursor = reset ? next : Math.max(cursor, next);
    decorate();
    if (stick) toEnd();
    if (reset) onreset?.();
    onevent?.(fresh, stick);
  }

  const pending = () => [...(element()?.querySelectorAll('.pending') ?? [])];

  function draw(el) {
    if (!element() || !mine(el)) return;
    const old = $(el.id);
    if (old) return old.replaceWith(el);
    if ('erases' in el.dataset) element().replaceChildren(); // what it was about is gone
    if (el.dataset.clientId) $('pending-' + el.dataset.clientId)?.remove();
    const later = [...element().children].reverse();
    const before = later.find((each) => Number(each.dataset.event) < Number(el.dataset.event));
    if (before) before.after(el); else element().insertBefore(el, element().querySelector('.pending'));
    htmx.process(el);
  }

  function place(el) { // state: not an event, so it may come twice or late
    if (el.classList.contains('state')) return receipt(el);
    if (onstate?.(el)) return;
    const old = $(el.id);
    if (!old && element()?.dataset.conversation) return; // of a thread that is not shown
    if (el.classList.contains('typing')) typing(el);
    if (old && !old.isEqualNode(el)) { old.replaceWith(el); htmx.process(el); }
    else if (!old && el.classList.contains('typing')) {
      $('states')?.replaceChildren(el);
    }
  }

  function receipt(el) { // what is said of one message holds for all of that side before it
    let at = $(el.id)?.closest('.message');
    for (; at; at = at.previousElementSibling) {
      const its = at.dataset.by === side && at.querySelector('.state');
      if (!its) continue;
      if (words.states.indexOf(its.textContent) >= words.states.indexOf(el.textContent)) { if (its.id !== el.id) break; else continue; }
      its.textContent = el.textContent;
    }
  }

  let hush = 0;
  function typing(el) {
    clearTimeout(hush);
    const { id } = el;
    if (el.textContent) hush = setTimeout(() => $(id)?.replaceChildren(), el.dataset.ttl * 1000);
  }

  // --- places and times: the browser's part, since only it knows the reader's clock ---
  const { lang } = root; // the page's words, the reader's clock
  const { hourCycle } = new Intl.DateTimeFormat(undefined, { hour: 'numeric' }).resolvedOptions();
  const clock = new Intl.DateTimeFormat(lang, { hour: 'numeric', minute: '2-digit', hourCycle });
  const full = new Intl.DateTimeFormat(lang, { dateStyle: 'full', timeStyle: 'short', hourCycle });
  const days = new Intl.DateTimeFormat(lang, { weekday: 'long', day: 'numeric', month: 'long' });
  const relative = new Intl.RelativeTimeFormat(lang, { numeric: 'auto' });
  const dayOf = (date) => `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;

  function dayName(date) {
    const gap = Math.round((new Date(date).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 864e5);
    return gap > -2 && gap < 1 ? relative.format(gap, 'day') : days.format(date);
  }

  function decorate() {
    for (const el of element()?.querySelectorAll(':scope > [data-event]:not([data-day])') ?? []) {
      const time = el.querySelector('time'), date = new Date(time.dateTime);
      time.textContent = clock.format(date);
      time.title = full.format(date);
      el.dataset.day = dayOf(date);
      const before = el.previousElementSibling, after = el.nextElementSibling;
      if (before?.dataset.day !== el.dataset.day) {
        const line = document.createElement('p');
        line.className = 'day'; line.dataset.day = el.dataset.day; line.textContent = dayName(date);
        el.before(line);
      }
      if (after?.className === 'day' && after.dataset.day === el.dataset.day) after.remove();
    }
  }

  // --- scrolling ---
  const scroller = () => $('scroller');
  function atEnd() { const box = scroller(); return !box || box.scrollHeight - box.scrollTop - box.clientHeight < 80; }
  function toEnd() { const box = scroller(); if (box) box.scrollTop = box.scrollHeight; resting = true; }
  let resting = true; // at the end, and to stay there when a keyboard or a longer draft takes room away
  const sizes = new ResizeObserver(() => { if (resting) toEnd(); });
  addEventListener('scroll', ({ target }) => { if (target === scroller()) resting = atEnd(); }, true);
  function watch() { sizes.disconnect(); if (scroller()) sizes.observe(scroller()); }

  return {
    apply, decorate, atEnd, toEnd, watch, element, clock,
    get cursor() { return cursor; },
    get state() { return state; },
    forget() { cursor = 0; },
  };
}

/** History above, the pill below, and the place in the text kept while older messages come in. */
function watchScrolling(log) {
  let anchor = null, top = 0;
  addEventListener('scroll', ({ target }) => {
    if (target.id !== 'scroller') return;
    if (log.atEnd()) $('pill').hidden = true;
    const older = $('older');
    if (target.scrollTop < 200 && older?.href && !older.dataset.asked) {
      older.dataset.asked = '1';
      htmx.trigger(older, 'older');
    }
  }, true);
  addEventListener('click', ({ target }) => {
    if (target.closest('#pill')) { log.toEnd(); $('body').focus(); }
  });
  let history = null; // the request for older messages; its link is swapped away before `after:swap` can name it
  addEventListener('htmx:before:swap', ({ detail: { ctx } }) => {
    if (ctx.sourceElement.id !== 'older') return;
    history = ctx;
    anchor = log.element().querySelector('[data-event]');
    top = anchor?.getBoundingClientRect().top;
    log.element().setAttribute('aria-busy', 'true'); // what was said before is not news
  });
  addEventListener('htmx:after:swap', ({ detail: { ctx } }) => {
    if (ctx !== history) return;
    log.decorate();
    if (anchor) $('scroller').scrollTop += anchor.getBoundingClientRect().top - top;
    setTimeout(() => log.element().removeAttribute('aria-busy'), 500);
  });
}
