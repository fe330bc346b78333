// Crisp's $crisp (docs.crisp.chat, "Web SDK: Dollar Crisp"), spoken by Porchlight: set, do, get, is, on, off, and the queue.
(() => {
  const shim = window.porchlightShim(document.currentScript), queued = Array.isArray(window.$crisp) ? window.$crisp : [];
  function speak(chat) {
    const user = {}, data = {}, handlers = new Map();
    let opened = false, shown = true, unread = 0;
    const known = () => chat.setUser(window.CRISP_TOKEN_ID ?? user.email ?? user.nickname, { name: user.nickname, email: user.email, phone: user.phone });
    const set = {
      'user:email': ([value]) => { user.email = value; known(); }, 'user:nickname': ([value]) => { user.nickname = value; known(); },
      'user:phone': ([value]) => { user.phone = value; known(); }, 'user:avatar': () => {},
      'user:company': ([name]) => chat.setAttributes({ company: name }),
      'session:data': ([first, value]) => { const more = Array.isArray(first) ? Object.fromEntries(first) : { [first]: value }; Object.assign(data, more); chat.setAttributes(more); },
      'session:segments': ([tags]) => chat.addTags(tags), 'session:event': ([events]) => { for (const [name, about] of events) chat.track(name, about); },
      'message:text': ([text]) => chat.prefill(text),
    };
    const act = {
      'chat:open': () => chat.open(), 'chat:close': chat.close, 'chat:toggle': chat.toggle, 'chat:show': () => { shown = true; chat.show(); }, 'chat:hide': () => { shown = false; chat.hide(); },
      'message:send': ([, text]) => chat.send(text), 'message:show': ([, text]) => chat.say(text), 'session:reset': chat.reset,
    };
    const events = { 'chat:opened': 'open', 'chat:closed': 'close', 'message:received': 'message', 'session:loaded': 'ready' };
    chat.on('open', () => { opened = true; });
    chat.on('close', () => { opened = false; });
    chat.on('unread', (count) => { unread = count; });
    const does = {
      set: (name, values) => (Object.hasOwn(set, name) ? set[name](values ?? []) : shim.missing(`$crisp set ${name}`)),
      do: (name, values) => (Object.hasOwn(act, name) ? act[name](values ?? []) : shim.missing(`$crisp do ${name}`)),
      on(name, handler) { events[name] ? handlers.set(name, chat.on(events[name], handler)) : shim.missing(`$crisp on ${name}`); },
      off(name) { handlers.get(name)?.(); handlers.delete(name); },
      config(name, values) { if (name === 'color:mode') chat.setTheme([values].flat()[0]); }, safe() {},
    };
    window.$crisp = {
      push(...calls) { for (const [name, ...values] of calls) does[name]?.(...values); },
      get: (name, key) => ({ 'user:email': user.email, 'user:nickname': user.nickname, 'user:phone': user.phone, 'session:data': key ? data[key] : data, 'chat:unread:count': unread })[name] ?? null,
      is: (name) => ({ 'chat:opened': opened, 'chat:closed': !opened, 'chat:visible': shown, 'chat:hidden': !shown, 'website:available': true })[name] ?? false,
    };
    window.$crisp.push(...queued);
    window.CRISP_READY_TRIGGER?.();
  }
  shim.load(window.CRISP_WEBSITE_ID, speak);
})();
