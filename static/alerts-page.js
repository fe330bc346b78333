// The page "Alerts": what only this browser knows, beside what the server said.

(async () => {
  const $ = (id) => document.getElementById(id), turn = $('turn'), here = $('here'), zone = $('timezone');
  const push = createPush(document.body.dataset.csrf);
  const keep = (value) => { try { localStorage['porchlight:alerts'] = value; delete localStorage['porchlight:called']; } catch { /* this page only */ } };

  // --- the time zone that we propose ---
  const zoneHere = Intl.DateTimeFormat().resolvedOptions().timeZone;
  zone.value ||= zoneHere ?? '';
  for (const name of Intl.supportedValuesOf?.('timeZone') ?? []) $('zones').append(new Option(name));
  if (location.search) { // told once: a reload is not to say it again
    try { new BroadcastChannel('porchlight alerts').postMessage({ choices: true }); } catch { /* at their next load */ }
    history.replaceState(null, '', location.pathname);
  }

  // --- this browser ---
  function say(sentence, label) {
    here.textContent = sentence;
    turn.textContent = label ?? '';
    turn.hidden = !label;
  }
  async function turnOn() {
    turn.disabled = true;
    try {
      if (Notification.permission === 'default') await Notification.requestPermission();
      if (push.obstacle()) return show();
      if (Notification.permission !== 'granted') return say(own.notAllowed, own.turnOnHere);
      await push.unsubscribe(); // one that the server does not know any more may be dead
      await push.subscribe();
      keep('on');
      location.assign('/inbox/alerts?done=added');
    } catch (error) {
      say(fill(own.failed, { why: error.message }), own.again);
    } finally { turn.disabled = false; }
  }
  async function turnOff() {
    await push.unsubscribe();
    keep('off');
    location.assign('/inbox/alerts?done=removed');
  }
  async function show() {
    const trouble = push.obstacle(), because = $('because');
    if (trouble) {
      if (because) because.textContent = own[trouble];
      say(because ? '' : `${own.notHere} ${own[trouble]}`);
      here.hidden = Boolean(because);
      $('this').hidden = Boolean(because);
      return;
    }
    const endpoint = (await push.current())?.endpoint;
    const row = endpoint && [...document.querySelectorAll('[data-endpoint]')].find((each) => each.dataset.endpoint === endpoint);
    if (row) row.querySelector('.here-mark').hidden = false;
    turn.onclick = row ? turnOff : turnOn;
    if (row) say(own.onHere, own.turnOffHere);
    else say(own.offHere, own.turnOnHere);
    turn.className = row ? 'quiet' : 'primary';
  }
  show();
})();
