// Sets the chosen looks before anything is drawn; loaded in the head, so that no page flashes in the wrong colours.
{
  const chosen = localStorage.getItem("mojo-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
