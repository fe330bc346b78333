// Alerts: the owner hears and sees a new message when the inbox is not before their eyes.

function createAlerts() {
  const button = document.getElementById('alerts'), icon = document.getElementById('icon');
  const title = document.title;
  const stored = (() => { try { return localStorage; } catch { return {}; } })();
  let audio = null;
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
  }
  function show() {
    button.hidden = false;
    button.setAttribute('aria-pressed', wanted());
    button.textContent = wanted() ? 'Alerts are on' : 'Turn on alerts';
    if (wanted() && canNotify() && Notification.permission === 'denied') button.title = 'Your browser blocks notifications for this page.';
  }
  function toggle() {
    if (!wanted()) return turnOn();
    stored['porchlight:alerts'] = 'off';
    show();
  }
  button.addEventListener('click', toggle);
  addEventListener('pointerdown', () => { if (wanted()) unlock(); }, { once: true });
  addEventListener('keydown', () => { if (wanted()) unlock(); }, { once: true });
  show();

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

  return {
    /** New words of a visitor: heard, unless their thread is being looked at; shown, unless this page is. */
    message(name, body, url, shown) {
      const looking = document.hasFocus() && !document.hidden;
      if (!wanted() || (looking && shown)) return;
      ring();
      if (looking || !canNotify() || Notification.permission !== 'granted') return;
      const note = new Notification(name, { body, tag: url, icon: icon.dataset.plain, renotify: true });
      note.onclick = () => { focus(); htmx.trigger(document.querySelector(`a[href="${url}"]`), 'click'); note.close(); };
    },
    /** How many conversations have something new: in the title and on the icon. */
    count(unread) {
      document.title = unread ? `(${unread}) ${title}` : title;
      icon.href = unread ? icon.dataset.unread : icon.dataset.plain;
    },
  };
}
