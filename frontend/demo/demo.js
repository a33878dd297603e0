// A gallery of private pictures, and a film, for whoever is signed in.

import { SignedAccess } from "/signed-access.js";

const settings = await (await fetch("/demo/settings.json")).json();
const part = (id) => document.getElementById(id);
let signedIn; // { user, access }

/** Makes what a user opens things with; the page lists what it asks the endpoint for. */
function accessFor(user) {
  return new SignedAccess({
    api: settings.api,
    token: async () => (await (await fetch(`${settings.login}/token?user=${user}`)).json()).token,
    fetch: async (url, init) => {
      const answer = await fetch(url, init);
      if (String(url).startsWith(`${settings.api}/signed-`)) note(url, init, answer.status);
      return answer;
    },
  });
}

function note(url, { method, body }, status) {
  const { urls, url_patterns, refresh } = JSON.parse(body ?? "{}");
  const names = (urls ?? url_patterns ?? []).map((name) => new URL(name).pathname).join(" ");
  const item = document.createElement("li");
  const path = new URL(url).pathname;
  item.textContent = `${method} ${path} ${refresh ? "(refresh) " : ""}${names} → ${status}`;
  part("asked").append(item);
}

async function signIn(user, by) {
  await signOut();
  const access = accessFor(user);
  signedIn = { user, access };
  const own = `${settings.media}/users/${user}/`;
  if (by === "cookies") await access.cookies([`${own}*`]);
  access.folder(`${own}film/*`);
  document.querySelector("main").hidden = false;
  part("status").textContent = `You are signed in as ${user}.`;
  for (const button of part("users").children) button.ariaPressed = button.value === user;
  gallery("own", [user], access);
  gallery("others", settings.users.filter((other) => other !== user), access);
  await access.show(part("tune"), `${own}tune.wav`);
}

async function signOut() {
  part("asked").replaceChildren();
  if (!signedIn) return;
  const { access } = signedIn;
  signedIn = undefined;
  await access.clear();
}

function gallery(id, users, access) {
  const figures = users.flatMap((user) =>
    settings.pictures.map((name) => {
      const figure = document.createElement("figure");
      const picture = document.createElement("img");
      const caption = document.createElement("figcaption");
      picture.alt = caption.textContent = `${name.split(".")[0]}, by ${user}`;
      figure.append(picture, caption);
      access.show(picture, `${settings.media}/users/${user}/${name}`).then(
        () => (figure.dataset.state = "shown"),
        (error) => {
          figure.dataset.state = "refused";
          caption.textContent += ` is refused: ${error.message}`;
        },
      );
      return figure;
    }),
  );
  part(id).replaceChildren(...figures);
}

/** Plays a playlist as HLS has it, whose segments are pictures. */
async function play({ user, access }) {
  const folder = `${settings.media}/users/${user}/film/`;
  const load = async (name) => {
    const answer = await access.fetch(folder + name);
    if (!answer.ok) throw new Error(`${name} was answered with ${answer.status}`);
    return answer;
  };
  const playlist = await (await load("film.m3u8")).text();
  const names = playlist.split("\n").filter((line) => line && !line.startsWith("#"));
  const seconds = Number(/#EXTINF:([\d.]+)/.exec(playlist)[1]);
  part("frame").hidden = false;
  part("progress").max = names.length;
  for (const [index, name] of names.entries()) {
    const shown = URL.createObjectURL(await (await load(name)).blob());
    part("frame").src = shown;
    await part("frame").decode();
    URL.revokeObjectURL(shown);
    part("progress").value = index + 1;
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
}

part("users").append(
  ...settings.users.map((user) => {
    const button = document.createElement("button");
    return Object.assign(button, { type: "submit", value: user, textContent: `Sign in as ${user}` });
  }),
);
part("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { value: user } = event.submitter;
  try {
    await signIn(user, new FormData(event.target).get("by"));
  } catch (error) {
    part("status").textContent = `Signing in as ${user} went wrong: ${error.message}`;
  }
});
part("play").addEventListener("click", async () => {
  part("play").disabled = true;
  try {
    await play(signedIn);
  } catch (error) {
    part("status").textContent = `The film stopped: ${error.message}`;
  }
  part("play").disabled = false;
});
