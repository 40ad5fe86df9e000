# syntax=docker/dockerfile:1

# Stage 1: the executable. Bun itself is put inside, so the final image needs none.
FROM oven/bun:1.4.5 AS build
WORKDIR /build
# Dependencies first: this layer is kept until the lockfile changes.
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production --ignore-scripts
COPY . .
RUN bun run build && mkdir /data

# Stage 2: the executable and a C library, nothing else. No shell, no package manager, nothing to update
# beside the hub. It needs glibc only; root certificates are inside the executable.
FROM gcr.io/distroless/base-nossl-debian12:nonroot
COPY --from=build /build/dist/hub /usr/local/bin/hub
# 65532 is this image's user `nonroot`. A new volume takes over the owner of the folder it covers.
COPY --from=build --chown=65532:65532 /data /data

ENV HOST=0.0.0.0 \
    PORT=3000 \
    DATA_DIR=/data
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 3000
# The hub stops taking work, lets what runs finish for 15 s, and gives the rest back.
STOPSIGNAL SIGTERM
# A start waits up to 30 s for the server it replaces.
HEALTHCHECK --interval=15s --timeout=5s --start-period=40s --retries=3 \
  CMD ["/usr/local/bin/hub", "health"]
ENTRYPOINT ["/usr/local/bin/hub"]
CMD ["serve"]
