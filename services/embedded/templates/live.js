// Keeps the list and the clock up to date. Without it the list page loads itself anew.
"use strict";
const list = document.getElementById("list");
const chosen = location.pathname.split("/")[2] || "";
const language = document.documentElement.lang.slice(0, 2);

async function renew() {
  if (document.hidden || list.contains(document.activeElement)) return;
  const response = await fetch(`/mailbox/list?lang=${language}&chosen=${chosen}`);
  if (!response.ok) return;
  const html = await response.text();
  const scrolled = list.scrollTop;
  list.innerHTML = html;
  list.scrollTop = scrolled;
}

if (list.dataset.live === "yes") setInterval(() => renew().catch(() => {}), 2000);
