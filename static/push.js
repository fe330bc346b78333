// Push: whether this browser can be called while no tab is open, and how it is signed up for that.

function createPush(csrf) {
  const post = (path, said) => fetch(`/inbox/alerts/${path}`, {
    method: 'POST', headers: { 'Content-Type': 'application/json', 'X-CSRF': csrf }, body: JSON.stringify(said),
  });
  const phone = /iPhone|iPad/.test(navigator.userAgent) || (navigator.platform === 'MacIntel' && navigator.maxTouchPoints > 1);
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (each) => each.charCodeAt(0));
  let worker = null, plan = null;

  /** Why this browser can't be called, as `own` names the sentence; empty when it can. */
  function obstacle() {
    if (!isSecureContext) return 'insecure';
    if ('serviceWorker' in navigator && 'PushManager' in window && 'Notification' in window) return Notification.permission === 'denied' ? 'denied' : '';
    return phone && !navigator.standalone ? 'install' : 'unable';
  }
  /** The worker, once it is there; null where there is none. */
  function register() {
    if (!isSecureContext || !('serviceWorker' in navigator)) return Promise.resolve(null);
    worker ??= navigator.serviceWorker.register('/inbox/alerts/worker.js', { scope: '/inbox' }).catch(() => null);
    return worker;
  }
  /** The owner's choices, and the key to subscribe with. */
  function choices() {
    plan ??= fetch('/inbox/alerts/plan').then((answer) => (answer.ok && !answer.redirected ? answer.json() : null)).catch(() => null);
    return plan;
  }
  const current = async () => (await register())?.pushManager?.getSubscription() ?? null;

  /** Sign this browser up; permission was given. Throws an Error whose message is for the person. */
  async function subscribe() {
    const registration = await register(), told = await choices();
    if (!registration || !told) throw new Error(own.noAnswer);
    const key = bytes(told.key);
    let subscription = await registration.pushManager.getSubscription();
    const old = subscription && new Uint8Array(subscription.options.applicationServerKey ?? []);
    if (old && (old.length !== key.length || old.some((each, at) => each !== key[at]))) { await subscription.unsubscribe(); subscription = null; }
    await ready(registration);
    try {
      subscription ??= await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    } catch (error) {
      throw new Error(fill(own.pushRefused, { why: error.message }));
    }
    const answer = await post('devices', subscription.toJSON());
    if (!answer.ok) throw new Error((await answer.json().catch(() => null))?.error ?? own.notTaken);
    return subscription;
  }
  const ready = (registration) => registration.active || new Promise((done) => {
    const coming = registration.installing ?? registration.waiting;
    coming.addEventListener('statechange', () => { if (coming.state === 'activated') done(); });
  });
  /** Call this browser no more. */
  async function unsubscribe() {
    const subscription = await current();
    if (!subscription) return;
    await post('departure', { endpoint: subscription.endpoint }).catch(() => {});
    await subscription.unsubscribe();
  }
  return { obstacle, register, choices, forget: () => { plan = null; }, current, subscribe, unsubscribe };
}
