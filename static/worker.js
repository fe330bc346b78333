// The worker: shows alerts while no tab is open, one a conversation, and carries what is pressed on them to the server.
// It keeps nothing.

const inbox = '/inbox', own = __WORDS__;
const told = (() => { try { return new BroadcastChannel('porchlight alerts'); } catch { return null; } })();
const windows = () => clients.matchAll({ type: 'window', includeUncontrolled: true });
const isInbox = ({ url }) => /^\/inbox(\/conversations\/\d+)?$/.test(new URL(url).pathname); // as it was when it was opened
// Safari ends a subscription whose push showed nothing: there a note is shown without a sound, and taken back.
const strict = /Safari/.test(navigator.userAgent) && !/Chrom|Android/.test(navigator.userAgent);

self.addEventListener('install', () => skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(clients.claim()));

self.addEventListener('push', (event) => {
  let note;
  try { note = event.data.json(); } catch { note = {}; }
  event.waitUntil(announce({ title: own.newMessage, body: own.openIt, tag: inbox, url: inbox, ...note }));
});

/** Whether a tab that shows this conversation is before the eyes: it holds a lock then (alerts.js), since a worker knows
    of a tab's address only where it began. */
async function isLookedAt(url) {
  const locks = await navigator.locks.query().catch(() => null); // refused where storage is
  return (locks?.held ?? []).some(({ name }) => name === 'porchlight looks at ' + url.split('/conversations/')[1]);
}
async function announce(note) {
  const looked = await isLookedAt(note.url);
  if (note.unseen) navigator.setAppBadge?.(note.unseen).catch(() => {});
  told?.postMessage({ shown: note.tag, event: note.event ?? 0 });
  if (looked && !strict) return;
  const actions = note.reply ? [
    { action: 'reply', title: own.reply, type: 'text', placeholder: own.write },
    { action: 'close', title: own.close },
  ] : [];
  if (note.tag === inbox) { // one for all takes the place of one each
    for (const shown of await registration.getNotifications()) if (shown.tag.startsWith(inbox) && shown.tag !== inbox) shown.close();
  }
  await registration.showNotification(note.title, {
    body: note.body, tag: note.tag, renotify: !looked, silent: looked || Boolean(note.silent), actions, dir: 'auto',
    icon: '__ICON__', badge: '__BADGE__', data: note,
  });
  if (looked) for (const shown of await registration.getNotifications({ tag: note.tag })) shown.close();
}

self.addEventListener('notificationclick', (event) => {
  const note = event.notification.data ?? { url: inbox };
  event.notification.close();
  told?.postMessage({ closed: event.notification.tag });
  event.waitUntil(act(event.action, event.reply, note));
});
self.addEventListener('notificationclose', (event) => told?.postMessage({ closed: event.notification.tag }));

async function act(action, words, note) {
  if (action === 'reply' && words) {
    const why = await knock('reply', { ticket: note.reply, body: words });
    if (why) await failed(note, `${own.notSent}: ${words}`, why, words);
  } else if (action === 'close') {
    const why = await knock('closure', { ticket: note.close });
    if (why) await failed(note, own.notClosed, why);
  } else await go(note.url, { write: action === 'reply' || Boolean(note.draft), draft: note.draft });
}

/** Ask the server; returns why it did not work, or nothing. */
async function knock(door, said) {
  const options = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(said) };
  try {
    const answer = await fetch(`/inbox/alerts/${door}`, options);
    if (answer.ok) return '';
    return (await answer.json().catch(() => null))?.error || own.answered.replace('{status}', answer.status);
  } catch { return own.unreached; }
}
const failed = (note, title, body, draft) => registration.showNotification(title, {
  body, tag: note.tag, icon: '__ICON__', badge: '__BADGE__', data: { url: note.url, tag: note.tag, draft },
});

/** Bring an inbox to the front, at that place; open one where there is none. */
async function go(url, more) {
  const open = (await windows()).filter(isInbox), there = open.find(({ focused }) => focused) ?? open[0];
  const client = there ? await there.focus().catch(() => there) : await clients.openWindow(url);
  client?.postMessage({ go: url, ...more });
}

// The browser has got another address: the server is told, or the next page that is opened tells it.
self.addEventListener('pushsubscriptionchange', (event) => event.waitUntil(renew(event)));
async function renew({ oldSubscription, newSubscription }) {
  const options = oldSubscription?.options;
  const fresh = newSubscription ?? await registration.pushManager.subscribe(options ?? await ask());
  await knock('renewal', { ...fresh.toJSON(), replacing: oldSubscription?.endpoint ?? '' });
}
async function ask() {
  const { key } = await fetch('/inbox/alerts/plan').then((answer) => answer.json());
  return { userVisibleOnly: true, applicationServerKey: key };
}
