// Alerts: the owner hears and sees a new message when the inbox is not before their eyes. All open tabs agree who rings.

function createAlerts({ csrf, thread, onGo }) {
  const button = $('alerts'), icon = $('icon');
  const title = document.title, push = createPush(csrf);
  const stored = (() => { try { return localStorage; } catch { return {}; } })();
  const MANY = 5; // conversations: with more of them new at once, one note stands for all
  const WORKER = 8000; // ms that the worker gets to show what this browser is called for
  const CLAIM = 30000; // ms that the tab which rings keeps the others from it
  let audio = null, subscribed = false;
  const wanted = () => stored['porchlight:alerts'] === 'on';
  const canNotify = () => 'Notification' in window && isSecureContext;

  function unlock() { // browsers let a page sound only after a click
    audio ??= new (window.AudioContext ?? window.webkitAudioContext)();
    audio.resume();
  }
  async function turnOn() {
    unlock();
    stored['porchlight:alerts'] = 'on';
    if (canNotify() && Notification.permission === 'default') await Notification.requestPermission();
    ring();
    show();
    signUp(true);
  }
  function show(trouble) {
    button.hidden = false;
    button.setAttribute('aria-pressed', wanted());
    button.textContent = wanted() ? own.alertsOn : own.turnOn;
    if (wanted() && push.obstacle()) trouble ??= `${own.notCalled} ${own[push.obstacle()]}`;
    button.title = trouble ?? '';
  }
  function toggle() {
    if (!wanted()) return turnOn();
    stored['porchlight:alerts'] = 'off';
    subscribed = false;
    delete stored['porchlight:called'];
    push.unsubscribe();
    show();
  }
  /** This browser is called by push too: signed up once for each session, since it ends with it. */
  async function signUp(asked) {
    if (!wanted() || push.obstacle() || Notification.permission !== 'granted') return;
    const known = await push.current(), told = await push.choices();
    if (!known && !asked) return; // it was removed, or never was: only a person's click signs it up
    subscribed = Boolean(known) && stored['porchlight:called'] === told?.session;
    if (subscribed || !told) return;
    try {
      await push.subscribe();
      stored['porchlight:called'] = told.session;
      subscribed = true;
    } catch (error) { show(error.message); }
  }
  button.addEventListener('click', toggle);
  addEventListener('pointerdown', () => { if (wanted()) unlock(); }, { once: true });
  addEventListener('keydown', () => { if (wanted()) unlock(); }, { once: true });
  show();
  signUp(false);

  // --- what the tabs and the worker know of each other ---
  const shown = new Map(); // by conversation, the newest event that the worker has shown
  try {
    new BroadcastChannel('porchlight alerts').onmessage = ({ data }) => {
      if (data.shown) shown.set(data.shown, data.event);
      if (data.choices) push.forget();
    };
  } catch { /* each by itself */ }
  navigator.serviceWorker?.addEventListener('message', ({ data }) => { if (data?.go?.startsWith('/inbox')) onGo(data); });

  const LOOKS = 'porchlight looks at '; // a tab before the eyes holds this lock, which the others can see
  let place = null, hold = null;
  function look() {
    const now = document.hasFocus() && !document.hidden ? LOOKS + (thread() ?? 'the list') : null;
    if (now === place) return;
    place = now;
    if (hold) { hold.over = true; hold.end?.(); }
    const mine = hold = {};
    const until = () => new Promise((end) => { mine.end = end; if (mine.over) end(); });
    if (now) navigator.locks?.request(now, { mode: 'shared' }, until).catch(() => {});
    if (now && thread()) takeBack(`/inbox/conversations/${thread()}`);
  }
  async function takeBack(tag) { // it is before the eyes: its note has done its work
    const registration = await navigator.serviceWorker?.getRegistration?.('/inbox').catch(() => null);
    for (const note of (await registration?.getNotifications({ tag })) ?? []) note.close();
  }
  async function looks() {
    const held = (await navigator.locks?.query().catch(() => null))?.held ?? [];
    const names = [...held.map(({ name }) => name), place ?? ''];
    return names.filter((name) => name.startsWith(LOOKS)).map((name) => name.slice(LOOKS.length));
  }
  for (const type of ['focus', 'blur', 'pageshow']) addEventListener(type, look);
  document.addEventListener('visibilitychange', look);

  /** True in one tab only: the first that comes with this event. It holds a lock for a while, since what one tab stores
      reaches the others late; after that what is stored tells. */
  function first(what, event) {
    const name = `porchlight:${what}`;
    const claim = () => {
      if (Number(stored[name] ?? 0) >= event) return false;
      stored[name] = event;
      return true;
    };
    if (!navigator.locks) return claim();
    return new Promise((tell) => {
      navigator.locks.request(`${name} ${event}`, { ifAvailable: true }, (lock) => {
        const mine = Boolean(lock) && claim();
        tell(mine);
        return mine ? new Promise((done) => setTimeout(done, CLAIM)) : null;
      }).catch(() => tell(claim()));
    });
  }

  function ring() { // two soft strokes of a door bell
    if (audio?.state !== 'running') return;
    for (const [tone, at] of [[880, 0], [660, 0.18]]) {
      const voice = audio.createOscillator(), volume = audio.createGain(), start = audio.currentTime + at;
      voice.frequency.value = tone;
      volume.gain.setValueAtTime(0.12, start);
      volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.5);
      voice.connect(volume).connect(audio.destination);
      voice.start(start);
      voice.stop(start + 0.5);
    }
  }
  function quiet({ from, to, zone }) {
    if (!from) return false;
    let now;
    try { now = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short', hourCycle: 'h23', timeZone: zone }).format(); } catch { return false; }
    return from < to ? from <= now && now < to : now >= from || now < to;
  }
  async function note(name, options) {
    const registration = subscribed ? await push.register() : null;
    if (registration?.active) return registration.showNotification(name, { ...options, data: { url: options.tag, tag: options.tag } });
    const made = new Notification(name, options);
    made.onclick = () => { focus(); onGo({ go: options.tag }); made.close(); };
  }
  async function notify(news, { text = true, sound = true } = {}) {
    if (!(await first('noted', Math.max(...news.map(({ event }) => event))))) return;
    const look = { icon: icon.dataset.app, renotify: true, silent: !sound };
    if (news.length > MANY) return note(ownCounted(own.talks, { n: news.length }), { ...look, body: own.openThem, tag: '/inbox' });
    for (const { name, body, url, count } of news) {
      if (!text) note(own.newMessage, { ...look, body: own.openIt, tag: url });
      else note(count > 1 ? ownCounted(own.news, { name, n: count }) : name, { ...look, body, tag: url });
    }
  }

  return {
    /** New words of visitors, the last of each conversation: heard, unless their thread is being looked at; shown,
        unless an inbox is. Where this browser is called by push, the worker shows them, and we only if it does not. */
    async news(fresh) {
      if (!wanted()) return;
      const choices = (await push.choices()) ?? undefined;
      if (choices && quiet(choices.quiet)) return;
      const seen = await looks();
      const news = fresh.filter(({ conversation }) => !seen.includes(conversation));
      if (!news.length) return;
      const newest = Math.max(...news.map(({ event }) => event));
      if (choices?.sound !== false && audio?.state === 'running' && await first('rang', newest)) ring();
      if (seen.length || !canNotify() || Notification.permission !== 'granted') return;
      if (!subscribed) return notify(news, choices);
      setTimeout(async () => {
        const left = news.filter(({ url, event, unread }) => unread() && event > Math.max(shown.get(url) ?? 0, shown.get('/inbox') ?? -1));
        if (left.length && !(await looks()).length) notify(left, choices);
      }, WORKER);
    },
    /** Whether this tab is before the eyes, and what it shows, may have changed. */
    look,
    /** How many conversations have something new: in the title and on the icon. */
    count(unread) {
      document.title = unread ? `(${unread}) ${title}` : title;
      icon.href = unread ? icon.dataset.unread : icon.dataset.plain;
      navigator.setAppBadge?.(unread).catch(() => {});
    },
  };
}
