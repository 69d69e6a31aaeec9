// A button for phones whose browsers hide theirs.

const button = document.getElementById("print");
button.hidden = false;
button.addEventListener("click", () => window.print());
