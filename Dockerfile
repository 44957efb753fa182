# Debian rather than Alpine: Node.js calls its musl builds experimental, and the compiler is a glibc binary.
# Keep the major version in step with the package `node` in package.json; a test compares the two. By digest, so that
# every build has the same base; for a newer one: `docker buildx imagetools inspect node:24-slim`, in both places.
FROM node:24-slim@sha256:a9f5f7c91c432850b2a8a7797adf5eadb6c733ceed61167806cee7ea7fbc29df AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No install scripts: the only one fetches a second Node.js for people whose own is too old.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY scripts/sbom.mjs ./scripts/
COPY tools/build ./tools/build
COPY src ./src
# The bundle holds all libraries. Scanners of images find what it is made of in the bill of materials.
RUN npm run build && npm run --silent sbom > dist/druid-gateway.cdx.json

FROM node:24-slim@sha256:a9f5f7c91c432850b2a8a7797adf5eadb6c733ceed61167806cee7ea7fbc29df
WORKDIR /app
ENV NODE_ENV=production
COPY package.json LICENSE ./
COPY --from=build /app/dist ./dist
COPY config ./config
# Nothing here installs packages, and nobody who gets in should be able to. Relative to /app, so that a test can do it.
RUN rm -rf ../usr/local/lib/node_modules ../usr/local/bin/npm ../usr/local/bin/npx ../usr/local/bin/corepack \
  ../usr/local/bin/yarn ../usr/local/bin/yarnpkg ../opt/yarn-*
LABEL org.opencontainers.image.title="druid-gateway" org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.description="One URL for a highly available Apache Druid cluster"
# By number, so that Kubernetes can see that it is not root. Nothing below / is written to.
USER 1000:1000
EXPOSE 8888
# Live, not ready: a gateway that waits for ZooKeeper need not be replaced. It asks where DRUID_GATEWAY__ADMIN__LISTEN
# says; a file needs `--config FILE` here, too.
HEALTHCHECK --interval=10s --timeout=3s CMD ["node", "dist/main.js", "health"]
ENTRYPOINT ["node", "--max-semi-space-size=8", "--v8-pool-size=1", "--disable-sigusr1", "dist/main.js"]
CMD ["serve"]
