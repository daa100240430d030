
// What is begun when the page is there.

buildPanels();
buildTraffic();
wireTabs();
choose(VIEWS.services);
// On a narrow screen the table comes first.
element("picture").open = !matchMedia("(max-width: 45rem)").matches;
const status = keepLooking(lookAtStatus, showStatus);
const looking = keepLooking(lookAtTable, showView);
setInterval(() => {
  if (document.hidden) return;
  showFreshness();
  showVerdict();
}, 1000);

element("credentials").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, element("token").value);
  element("token").value = "";
  element("credentials").hidden = true;
  status.now();
  looking.now();
});
