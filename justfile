# The repository's recipes. Each is a command line that works without `just`.

registry := env("REGISTRY", "localhost:5000")
# The commit and its time, so that `image` and `push` speak of the same image.
tag := `git log -1 --format=%h-%cd --date=format:%Y%m%d%H%M%S`
image := registry / "aenv-controller:" + tag
version := `sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml`

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
    cargo test --test it api_server:: -- {{ args }}

# Deny what clippy warns of, in every target
lint:
    cargo clippy --all-targets -- -D warnings

# Check that imports point one way, without a circle, and that every file is compiled
layers:
    cargo test --test layers

# Format the code
fmt:
    cargo fmt

# Build the documentation, without a broken link
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Check licences and advisories (once before: cargo install --locked cargo-deny)
deny:
    cargo deny check

# Lint and render the Helm chart, and hold it to its recording (`just chart --update` after a change)
chart *args:
    .ci/chart {{ args }}

# Run the benches
bench *args:
    cargo bench {{ args }}

# Compare answers from memory with nginx serving the same bytes (two minutes; needs wrk and nginx)
bench-load *args:
    cargo build --profile dist
    benches/load.py {{ args }}

# Compare what a list costs the API server with a bare client that pages through JSON (needs KUBEBUILDER_ASSETS)
bench-api *args:
    cargo build --release
    benches/api.py {{ args }}

# Run three replicas under load, faults and restarts, ten minutes unless told otherwise (`just soak --seconds 60`)
soak *args:
    cargo build --release
    benches/soak.py {{ args }}

# Build the image
image:
    docker build --tag {{ image }} --build-arg VERSION={{ version }} --build-arg REVISION=$(git rev-parse HEAD) \
        --build-arg CREATED=$(date --utc +%FT%TZ) --build-arg SOURCE=$(git config --get remote.origin.url || echo unknown) .

# Push the image that `image` built
push:
    docker push {{ image }}

# Apply an overlay below k8s/ (base, ha, monitoring, apf), with the image that `push` pushed
deploy overlay="base":
    kubectl kustomize k8s/{{ overlay }} | sed 's|image: aenv-controller$|image: {{ image }}|' | kubectl apply -f -

# See whether what is deployed serves: rollout, image, first lines of the logs, a list of services
verify:
    kubectl -n aenv rollout status deployment/controller --timeout=180s
    kubectl -n aenv get deploy controller -o jsonpath='{.spec.template.spec.containers[0].image}{"\n"}'
    kubectl -n aenv logs -l app.kubernetes.io/name=controller --tail=-1 --prefix | grep -E 'QPS|🔗|🎯|✅'
    kubectl -n aenv port-forward deployment/controller 18080:8080 >/dev/null & trap "kill $!" EXIT; \
        curl --silent --show-error --fail --retry 10 --retry-connrefused --retry-delay 1 http://localhost:18080/services

# Back to the revision before
rollback:
    kubectl -n aenv rollout undo deployment/controller
    kubectl -n aenv rollout status deployment/controller --timeout=180s

# Do all that has to hold before a change is merged
ci:
    .ci/run

# Release a version, as in `just release 0.2.0`: set it everywhere, check, commit, tag; then push the commit and the tag
release number:
    test -z "$(git status --porcelain)"
    sed -i '0,/^version = ".*"/s//version = "{{ number }}"/' Cargo.toml
    sed -i 's/^appVersion: .*/appVersion: {{ number }}/' k8s/chart/Chart.yaml
    sed -i "s/^## \[Unreleased\]/&\n\n## [{{ number }}] - $(date +%F)/" CHANGELOG.md
    cargo check --quiet
    .ci/chart --update
    .ci/run
    git commit --all --message "Release {{ number }}"
    git tag --annotate v{{ number }} --message "Release {{ number }}"
