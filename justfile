# The repository's recipes. Each is a command line that works without `just`.

registry := env("REGISTRY", "localhost:5000")
# The commit and its time, so that `image` and `push` speak of the same image.
tag := `git log -1 --format=%h-%cd --date=format:%Y%m%d%H%M%S`
image := registry / "aenv-controller:" + tag

_list:
    @just --list --unsorted

# Serve the cluster of the current kubeconfig
run *args:
    cargo run -- {{ args }}

# Serve an in-memory API server: no cluster needed
sandbox *args:
    cargo run -- sandbox {{ args }}

# Test; on a real kube-apiserver too where KUBEBUILDER_ASSETS names one
test *args:
    cargo test {{ args }}

# Test on a real kube-apiserver only
test-live *args:
    : "${KUBEBUILDER_ASSETS:?names the folder of etcd and kube-apiserver}"
    cargo test --test it api_server {{ args }}

# Deny what clippy warns of, in every target
lint:
    cargo clippy --all-targets -- -D warnings

# Check that imports point one way and that every file is compiled
layers:
    .ci/layers

# Format the code
fmt:
    cargo fmt

# Build the documentation, without a broken link
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Check licences and advisories (once before: cargo install --locked cargo-deny)
deny:
    cargo deny check

# Run the benches
bench *args:
    cargo bench {{ args }}

# Build the image
image:
    docker build --tag {{ image }} .

# Push the image that `image` built
push:
    docker push {{ image }}

# Do all that has to hold before a change is merged
ci:
    .ci/run
