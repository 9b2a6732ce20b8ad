// Shows the description of this version, and sends what is filled in. What comes back is shown as text, never as markup.
"use strict";
(async () => {
  const mount = document.body.dataset.mount;
  const place = document.getElementById("operations");
  const value = (id) => document.getElementById(id).value.trim();

  const make = (tag, text, ...children) => {
    const found = document.createElement(tag);
    if (text) found.textContent = text;
    found.append(...children);
    return found;
  };

  const described = await (await fetch(`${mount}/openapi.json`)).json();

  const resolved = (schema, depth = 0) => {
    if (schema.$ref) return resolved(described.components.schemas[schema.$ref.split("/").pop()], depth);
    if (schema.anyOf) return resolved(schema.anyOf[0], depth);
    if (schema.enum) return schema.enum[0];
    if (schema.const !== undefined) return schema.const;
    if (schema.default !== undefined && schema.default !== null) return schema.default;
    if (schema.type === "array") return depth > 4 ? [] : [resolved(schema.items, depth + 1)];
    if (schema.type === "integer") return schema.minimum ?? 0;
    if (schema.type === "boolean") return false;
    if (schema.type !== "object" || depth > 4) return "";
    const needed = schema.required ?? [];
    return Object.fromEntries(needed.map((name) => [name, resolved(schema.properties[name], depth + 1)]));
  };

  const field = (parameter) => {
    const input = make("input");
    input.required = parameter.required;
    const many = parameter.schema.type === "array" ? " (several: with commas)" : "";
    return [make("label", `${parameter.name} in ${parameter.in}${many} `, input), () => input.value.trim()];
  };

  const headers = (version) => {
    const said = { "api-version": version, "nhn-source-system": value("source") };
    if (value("key")) said["X-API-Key"] = value("key");
    return said;
  };

  const shown = async (response, into) => {
    into.textContent = `${response.status} ${response.statusText}\n`;
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await reader?.read(); piece && !piece.done; piece = await reader.read()) {
      into.textContent += piece.value;
    }
  };

  const operation = (path, method, row) => {
    const asked = row.parameters.filter((one) => one.in !== "header").map((one) => [one, ...field(one)]);
    const body = row.requestBody && make("textarea");
    if (body) {
      const schema = row.requestBody.content["application/json"].schema;
      body.value = JSON.stringify(resolved(schema), null, 2);
    }
    const button = make("button", "Send");
    const answer = make("pre");
    button.addEventListener("click", async () => {
      let target = path;
      const query = new URLSearchParams();
      for (const [one, , said] of asked) {
        if (one.in === "path") target = target.replace(`{${one.name}}`, encodeURIComponent(said()));
        else for (const part of said().split(",").filter(Boolean)) query.append(one.name, part.trim());
      }
      const sent = { method: method.toUpperCase(), headers: headers(mount.slice(-1)) };
      if (body) {
        sent.body = body.value;
        sent.headers["Content-Type"] = "application/json";
      }
      try {
        await shown(await fetch(`${mount}${target}${query.size ? `?${query}` : ""}`, sent), answer);
      } catch (error) {
        answer.textContent = String(error);
      }
    });
    const head = make("summary", "", make("code", `${method.toUpperCase()} ${path}`), ` – ${row.summary}`);
    const answers = make("p", `Answers: ${Object.entries(row.responses).map(([code, one]) => `${code} ${one.description}`).join(", ")}`);
    return make("details", "", head, answers, ...asked.map((one) => one[1]), ...(body ? [body] : []), button, answer);
  };

  place.replaceChildren(
    ...Object.entries(described.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, row]) => operation(path, method, row)),
    ),
  );
})();
