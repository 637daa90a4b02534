// Shows the OpenAPI document. The key that a reader enters stays in the memory of the
// page, and nothing is sent to anybody but the API itself.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  filter: true,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
});
