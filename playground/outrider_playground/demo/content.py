"""What the demo's repository holds: one application each as plain YAML, with kustomize and as a Helm chart."""

SHOP_IMAGE = "registry.example.com/shop"
DEADLINE_S = 4
# A broken image is Degraded after this: Kubernetes' own default, 600 s, would make a long demo.


def deployment(name: str, image: str) -> str:
    """Return a Deployment's YAML."""
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  replicas: 2
  progressDeadlineSeconds: {DEADLINE_S}
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      containers:
        - name: {name}
          image: {image}
          ports: [{{containerPort: 8080}}]
"""


def service(name: str) -> str:
    """Return a Service's YAML."""
    return f"""\
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  selector: {{app: {name}}}
  ports: [{{port: 80, targetPort: 8080}}]
"""


MENU = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: menu
data:
  greeting: Welcome
"""

KUSTOMIZATION = """\
resources: [deployment.yaml, service.yaml]
namePrefix: demo-
images:
  - name: registry.example.com/till
    newTag: "1.0"
"""

CHART = """\
apiVersion: v2
name: signage
version: 0.1.0
"""

CHART_VALUES = """\
replicas: 1
image: registry.example.com/signage:1.0
"""

CHART_TEMPLATE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {release: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {app: {{ .Release.Name }}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
    spec:
      containers:
        - name: signage
          image: {{ .Values.image }}
"""


def files(shop_tag: str = "1.0") -> dict[str, str]:
    """Return the repository's files by path."""
    return {
        "shop/deployment.yaml": deployment("shop", f"{SHOP_IMAGE}:{shop_tag}"),
        "shop/service.yaml": service("shop"),
        "shop/menu.yaml": MENU,
        "till/kustomization.yaml": KUSTOMIZATION,
        "till/deployment.yaml": deployment("till", "registry.example.com/till"),
        "till/service.yaml": service("till"),
        "signage/Chart.yaml": CHART,
        "signage/values.yaml": CHART_VALUES,
        "signage/templates/deployment.yaml": CHART_TEMPLATE,
    }


APPLICATIONS = ("shop", "till", "signage")


def application(path: str, cluster: str, repo_url: str) -> str:
    """Return the YAML of one Argo CD Application."""
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {path}-{cluster}
  finalizers: [resources-finalizer.argocd.argoproj.io]
spec:
  project: default
  source:
    repoURL: {repo_url}
    path: {path}
    targetRevision: main
  destination:
    name: {cluster}
    namespace: {path}
  syncPolicy:
    automated: {{prune: true, selfHeal: true}}
    syncOptions: [CreateNamespace=true]
"""
