// Renders /openapi.json: routes, fields, errors. Works offline.
"use strict";

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

const nameOf = (ref) => ref.split("/").pop();
const slug = (text) => text.replace(/[^a-z0-9]+/gi, "-").toLowerCase();

function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return make("a", { href: `#type-${nameOf(schema.$ref)}` }, nameOf(schema.$ref));
  const either = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (either) {
    const parts = make("span");
    either.forEach((one, at) => parts.append(at ? " or " : "", typeOf(one)));
    return parts;
  }
  if (schema.type === "array") return make("span", {}, "list of ", typeOf(schema.items));
  const names = [].concat(schema.type ?? "any");
  return schema.enum ? schema.enum.join(" | ") : names.join(" or ");
}

// Backticks in a description mark code.
function prose(text) {
  const node = make("span");
  (text ?? "").split("`").forEach((part, at) => node.append(at % 2 ? make("code", {}, part) : part));
  return node;
}

function table(head, rows) {
  const cells = (tag, row) => make("tr", {}, ...row.map((cell) => make(tag, {}, cell)));
  const body = rows.map((row) => (row instanceof Node ? row : cells("td", row)));
  return make("div", { class: "scroll", tabindex: "0" }, make("table", {}, make("thead", {}, cells("th", head)), make("tbody", {}, ...body)));
}

function route(path, verb, operation) {
  const section = make("section", { id: `${verb}-${slug(path)}` });
  section.append(make("h2", {}, make("span", { class: "verb" }, verb), path));
  if (operation.summary) section.append(make("p", {}, prose(operation.summary)));
  if (operation.description && operation.description !== operation.summary) section.append(make("p", {}, prose(operation.description)));
  const parameters = (operation.parameters ?? []).map((one) => [make("code", {}, one.name), one.in, prose(one.description)]);
  if (parameters.length) section.append(make("h3", {}, "Parameters"), table(["Name", "In", ""], parameters));
  const body = operation.requestBody?.content?.["application/json"]?.schema;
  if (body) section.append(make("h3", {}, "Body"), make("p", {}, typeOf(body)));
  const responses = Object.entries(operation.responses ?? {}).map(([status, one]) => {
    const content = Object.values(one.content ?? {})[0];
    return [make("code", {}, status), prose(one.description), typeOf(content?.schema)];
  });
  section.append(make("h3", {}, "Responses"), table(["Status", "", "Body"], responses));
  return section;
}

function type(name, schema) {
  const section = make("section", { id: `type-${name}` }, make("h2", {}, name));
  if (schema.description) section.append(make("p", {}, prose(schema.description)));
  const rows = Object.entries(schema.properties ?? {}).map(([field, one]) => {
    const label = make("span", {}, make("code", {}, field));
    if (schema.required?.includes(field)) label.append(" ", make("span", { class: "needed" }, "required"));
    return [label, typeOf(one), prose(one.description)];
  });
  if (rows.length) section.append(table(["Field", "Type", ""], rows));
  else section.append(make("p", {}, typeOf(schema)));
  return section;
}

function errors(codes) {
  const section = make("section", { id: "errors" }, make("h2", {}, "Error codes"));
  section.append(make("p", {}, "Every refusal carries one of these. Below /v1 it stands in error.code, elsewhere in code of problem+json."));
  const rows = Object.entries(codes).map(([code, one]) => {
    const cells = [make("code", {}, code), String(one.status), one.title, one.fix];
    return make("tr", { id: code }, ...cells.map((cell) => make("td", {}, cell)));
  });
  section.append(table(["Code", "Status", "Meaning", "What to do"], rows));
  return section;
}

const EXAMPLE = `curl -N ${location.origin}/api/v1/chat \\
  -H 'content-type: application/json' -H 'accept: text/event-stream' \\
  -d '{"message": "how much are the Taiga sneakers?", "locale": "en"}'`;

(async () => {
  const api = await (await fetch("/openapi.json")).json();
  const nav = document.getElementById("nav"), main = document.getElementById("main");
  main.append(make("h1", {}, `${api.info.title} ${api.info.version}`), make("p", {}, prose(api.info.description)));
  main.append(make("pre", { tabindex: "0" }, EXAMPLE));
  nav.append(make("a", { href: "/" }, "Chat page"), make("a", { href: "/openapi.json" }, "openapi.json"));
  for (const tag of api.tags) {
    nav.append(make("h2", {}, tag.description));
    for (const [path, verbs] of Object.entries(api.paths)) {
      for (const [verb, operation] of Object.entries(verbs)) {
        if (!operation.tags?.includes(tag.name)) continue;
        nav.append(make("a", { href: `#${verb}-${slug(path)}` }, `${verb.toUpperCase()} ${path}`));
        main.append(route(path, verb, operation));
      }
    }
  }
  nav.append(make("h2", {}, "Reference"), make("a", { href: "#errors" }, "Error codes"));
  main.append(errors(api["x-error-codes"]));
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    nav.append(make("a", { href: `#type-${name}` }, name));
    main.append(type(name, schema));
  }
  if (location.hash) document.querySelector(`[id="${CSS.escape(location.hash.slice(1))}"]`)?.scrollIntoView();
})();
