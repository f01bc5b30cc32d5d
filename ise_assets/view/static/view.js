"use strict";
// Keys only: the pages work without this.
const stops = [...document.querySelectorAll(".list tbody tr, .turn article")];
let at = -1;
function go(to) {
  if (!stops.length) return;
  if (stops[at]) stops[at].classList.remove("here");
  at = Math.max(0, Math.min(stops.length - 1, to));
  stops[at].classList.add("here");
  stops[at].scrollIntoView({ block: "nearest" });
}
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  const link = stops[at] && stops[at].querySelector("td a");
  if (event.key === "j") go(at + 1);
  else if (event.key === "k") go(at - 1);
  else if (event.key === "f") {
    const next = stops.findIndex((stop, index) => index > at && stop.classList.contains("failed"));
    if (next >= 0) go(next);
  } else if (event.key === "Enter" && link) link.click();
  else if (event.key === "u") history.length > 1 ? history.back() : location.assign("/");
  else if (event.key === "/") {
    const search = document.getElementById("search");
    if (search) { search.focus(); event.preventDefault(); }
  }
});
