// The dialog that asks for the endpoint's key.

import { storeKey, storedKey } from "./client.js";
import { $ } from "./dom.js";

/** Ask for the key; whether one was given. */
export function askKey(why = null) {
  const dialog = $("key-dialog");
  $("key-why").textContent = `${why ? `${why} ` : ""}Sent as a bearer token; kept in this tab alone until it is closed.`;
  $("key").value = storedKey();
  return new Promise((resolve) => {
    $("key-form").onsubmit = (event) => {
      event.preventDefault();
      dialog.close(event.submitter?.value ?? "save");
    };
    dialog.onclose = () => {
      const save = dialog.returnValue === "save";
      if (save) storeKey($("key").value.trim());
      resolve(save && Boolean(storedKey()));
    };
    dialog.returnValue = "";
    dialog.showModal();
  });
}
