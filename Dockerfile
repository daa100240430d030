# syntax=docker/dockerfile:1
# The controller alone, without the sandbox: one binary that links only the C library, run by nobody in particular.

FROM rust:1.95-bookworm AS build
WORKDIR /src
# The dependencies first: this layer is built again only when they change.
COPY Cargo.toml Cargo.lock ./
COPY benches benches
RUN mkdir src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
    && cargo build --release --locked --no-default-features --bin controller \
    && rm -r src
COPY src src
# cargo goes by modification times, and those of the copied files may be older than the stand-ins.
RUN touch src/main.rs src/lib.rs \
    && cargo build --release --locked --no-default-features --bin controller

FROM debian:bookworm-slim
# For an EnvHub behind HTTPS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/controller /usr/bin/controller
COPY config/controller.yaml /etc/aenv/controller.yaml
USER 65532:65532
EXPOSE 8080 8081 8088
ENTRYPOINT ["/usr/bin/controller"]
