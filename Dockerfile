# syntax=docker/dockerfile:1
# The controller alone, without the sandbox: one binary that links only the C library, run by nobody in particular.
#
# For linux/amd64 and linux/arm64. Each is built natively, on a builder of its kind (or an emulated one, which takes
# its time): nothing here names a platform, and there is no cross linker and no second C library to keep in step.
# `.ci/image` reads this file and goes through its steps in a plain folder, which is why each RUN keeps to its WORKDIR.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# Relocations in 9 kB instead of 0.4 MB, all of which is resident. It takes glibc 2.36, which both stages have.
ENV RUSTFLAGS="-C link-arg=-Wl,-z,pack-relative-relocs"
# The dependencies first, with stand-ins for our own sources: this layer is built again only when they change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches tests/it && touch src/lib.rs benches/reads.rs \
    && echo 'fn main() {}' >src/main.rs && cp src/main.rs tests/it/build.rs \
    && cargo build --profile dist --locked --no-default-features --bin controller
COPY src src
# cargo goes by modification times, and those of the copied files may be older than the stand-ins'.
RUN touch src/main.rs src/lib.rs \
    && cargo build --profile dist --locked --no-default-features --bin controller

# What the binary links, and CA certificates for an EnvHub behind HTTPS; no shell. glibc and not musl, whose allocator
# is slow under many threads; what is measured and tested is this one, too.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="aenv-controller" \
      org.opencontainers.image.description="Stateless, on-demand API service that runs AEnvironment sandboxes on Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /src/target/dist/controller /usr/bin/controller
# The defaults, to be read; templates are built in. ConfigMaps take the place of both.
COPY config/controller.yaml /etc/aenv/controller.yaml
USER 65532:65532
EXPOSE 8080 8081 8088
ENTRYPOINT ["/usr/bin/controller"]
