"use strict";
(function () {
  var gone = document.getElementById("gone");

  function words(store) {
    if (!store) { return "件数は不明（応答なし）"; }
    return "メッセージ " + store.messages + " 件・記録 " + store.entries + " 件・つながり " +
      store.links + "・指紋 " + store.digest;
  }

  function paint(kind, key, table) {
    document.querySelectorAll("li[data-" + kind + "]").forEach(function (row) {
      var good = table[row.getAttribute("data-" + kind)][key];
      row.className = good ? "on" : "off";
    });
  }

  function show(state) {
    gone.hidden = true;
    paint("cable", "whole", state.cables);
    paint("process", "running", state.processes);
    document.querySelectorAll("[data-store]").forEach(function (cell) {
      cell.textContent = words(state.stores[cell.getAttribute("data-store")]);
    });
  }

  function refresh() {
    return fetch("/state").then(function (answer) { return answer.json(); }).then(show)
      .catch(function () { gone.hidden = false; });
  }

  document.addEventListener("submit", function (event) {
    var form = event.target;
    var button = form.querySelector("button");
    event.preventDefault();
    button.disabled = true;
    fetch("/act", { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" })
      .catch(function () { gone.hidden = false; })
      .then(refresh)
      .then(function () { button.disabled = false; });
  });

  (function again() {
    refresh().then(function () { setTimeout(again, 1000); });
  }());
}());
