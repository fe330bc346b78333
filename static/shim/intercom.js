// Intercom's JavaScript API (developers.intercom.com, "JavaScript API: methods"), spoken by Porchlight. Calls that were
// queued by its snippet are made up for.
(() => {
  const OURS = new Set(['app_id', 'api_base', 'user_id', 'name', 'email', 'phone', 'user_hash', 'intercom_user_jwt', 'created_at', 'company', 'companies', 'hide_default_launcher', 'alignment', 'horizontal_padding', 'vertical_padding', 'custom_launcher_selector', 'action_color', 'background_color', 'session_duration', 'language_override', 'theme_mode']);
  const shim = window.porchlightShim(document.currentScript), queued = window.Intercom?.q ?? [];
  function speak(chat) {
    function update(about = {}) {
      const { user_id: id, email, name, phone, intercom_user_jwt: token, company } = about;
      if (id || email) chat.setUser(id ?? email, { name, email, phone, token });
      const more = Object.fromEntries(Object.entries(about).filter(([key]) => !OURS.has(key)));
      if (company?.name) more.company = company.name;
      if (Object.keys(more).length) chat.setAttributes(more);
      if (about.language_override) chat.setLocale(about.language_override);
      if (about.theme_mode) chat.setTheme(about.theme_mode);
      if ('hide_default_launcher' in about) about.hide_default_launcher ? chat.hide() : chat.show();
      if (about.custom_launcher_selector) document.querySelectorAll(about.custom_launcher_selector).forEach((el) => el.setAttribute('data-chat-open', ''));
    }
    const does = {
      boot: update, update, shutdown: chat.shutdown, show: () => chat.open(), hide: chat.close, showMessages: () => chat.open(), showSpace: () => chat.open(),
      showNewMessage: (text) => chat.open({ text }), trackEvent: chat.track, getVisitorId: () => undefined,
      onShow: (handler) => chat.on('open', handler), onHide: (handler) => chat.on('close', handler),
      onUnreadCountChange: (handler) => chat.on('unread', handler), onUserEmailSupplied: (handler) => chat.on('lead', handler),
    };
    window.Intercom = (name, ...values) => (Object.hasOwn(does, name) ? does[name](...values) : shim.missing(`Intercom('${name}')`));
    update(window.intercomSettings);
    for (const call of queued) window.Intercom(...call);
  }
  shim.load(window.intercomSettings?.app_id ?? [...queued].find(([name]) => name === 'boot')?.[1]?.app_id, speak);
})();
