// Tawk.to's JavaScript API (developer.tawk.to/jsapi), spoken by Porchlight: methods and callbacks on `Tawk_API`.
(() => {
  const shim = window.porchlightShim(document.currentScript), api = window.Tawk_API ??= {};
  function speak(chat) {
    let opened = false, shown = true, status = 'away';
    const call = (name, ...values) => { if (typeof api[name] === 'function') api[name](...values); };
    const with_ = (task) => (value, done) => { task(value); done?.(); };
    const user = ({ name, email, phone, id, userId, hash, jwtToken: token } = {}) => chat.setUser(userId ?? id ?? email ?? name, { name, email, phone, token });
    Object.assign(api, {
      maximize: () => chat.open(), minimize: chat.close, toggle: chat.toggle, popup: () => open(`${shim.server}/c/${shim.site}`, '_blank', 'noopener'),
      showWidget() { shown = true; chat.show(); }, hideWidget() { shown = false; chat.hide(); }, toggleVisibility() { shown ? api.hideWidget() : api.showWidget(); },
      getWindowType: () => 'inline', getStatus: () => status, isChatMaximized: () => opened, isChatMinimized: () => !opened, isChatHidden: () => !shown,
      isChatOngoing: () => opened, isVisitorEngaged: () => opened, endChat: chat.close, start() {}, shutdown: chat.shutdown,
      setAttributes: with_((told = {}) => { const { name, email, phone, hash, ...more } = told; if (name || email) user(told); if (Object.keys(more).length) chat.setAttributes(more); }),
      addTags: with_(chat.addTags), removeTags: with_(chat.removeTags), login: with_(user), logout: (done) => { chat.reset(); done?.(); },
      addEvent(name, about, done) { chat.track(name, typeof about === 'object' ? about : {}); (typeof about === 'function' ? about : done)?.(); },
      visitor: api.visitor,
    });
    chat.on('open', () => { opened = true; call('onChatMaximized'); });
    chat.on('close', () => { opened = false; call('onChatMinimized'); });
    chat.on('message', (message) => call('onChatMessageAgent', message));
    chat.on('unread', (count) => call('onUnreadCountChanged', count));
    chat.on('status', (now) => call('onStatusChange', status = now));
    if (api.visitor) user(api.visitor);
    call('onLoad');
  }
  shim.load('', speak);
})();
