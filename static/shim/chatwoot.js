// Chatwoot's SDK (developers.chatwoot.com, "Website live chat: SDK"), spoken by Porchlight: `chatwootSDK.run`, `$chatwoot`
// and its events on `window`.
(() => {
  const settings = () => window.chatwootSettings ?? {};
  const told = (name, detail) => dispatchEvent(new CustomEvent(`chatwoot:${name}`, { detail }));
  function speak(chat) {
    let shown = true;
    window.$chatwoot = {
      hasLoaded: true, isOpen: false,
      toggle(state) { ({ open: chat.open, close: chat.close })[state]?.() ?? (state || chat.toggle()); },
      toggleBubbleVisibility(state) { state === 'show' ? chat.show() : chat.hide(); },
      popoutChatWindow() { open(`${shim.server}/c/${shim.site}`, '_blank', 'noopener'); },
      setUser(id, { name, email, phone_number: phone, identifier_token: token } = {}) { chat.setUser(id, { name, email, phone, token }); },
      setCustomAttributes: chat.setAttributes, setConversationCustomAttributes: chat.setAttributes,
      deleteCustomAttribute(name) { chat.setAttributes({ [name]: null }); },
      deleteConversationCustomAttribute(name) { chat.setAttributes({ [name]: null }); },
      setLabel(tag) { chat.addTags([tag]); }, removeLabel(tag) { chat.removeTags([tag]); },
      setLocale: chat.setLocale, setColorScheme: chat.setTheme,
      reset: chat.reset,
    };
    chat.on('open', () => { window.$chatwoot.isOpen = true; told('opened'); });
    chat.on('close', () => { window.$chatwoot.isOpen = false; told('closed'); });
    chat.on('message', (message) => told('on-message', message));
    chat.on('unread', (count) => told('on-unread-message-count-changed', { unreadMessageCount: count }));
    if (settings().hideMessageBubble && shown) { shown = false; chat.hide(); }
    told('ready');
  }
  const shim = window.porchlightShim(document.currentScript);
  window.chatwootSDK = { run({ websiteToken }) { shim.load(websiteToken, speak); } };
})();
