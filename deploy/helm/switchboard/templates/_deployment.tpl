{{/* deployment: takes a dict of root, component (api, worker or serve) and the component's values.
     They differ in their command and in what they do before they stop. */}}
{{- define "switchboard.deployment" -}}
{{- $root := .root }}
{{- $values := .values }}
{{- $selector := dict "root" $root "component" .component }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "switchboard.fullname" $root }}-{{ .component }}
  labels:
    {{- include "switchboard.labels" $selector | nindent 4 }}
spec:
  {{- if not $values.autoscaling.enabled }}
  replicas: {{ $values.replicas }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "switchboard.selector" $selector | nindent 6 }}
  # The next version works before the last one stops.
  strategy:
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  template:
    metadata:
      labels:
        {{- include "switchboard.labels" $selector | nindent 8 }}
      annotations:
        # Settings are read at the start: other ones start other pods.
        checksum/config: {{ toJson $root.Values.config | sha256sum | quote }}
        {{- with $values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "switchboard.podSpec" $root | nindent 6 }}
      serviceAccountName: {{ include "switchboard.serviceAccountName" $root }}
      terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
      containers:
        - name: {{ .component }}
          args: [{{ .component }}]
          {{- include "switchboard.containerSpec" $root | nindent 10 }}
          envFrom:
            - configMapRef: {name: {{ include "switchboard.fullname" $root }}}
          env:
            {{- include "switchboard.secrets" $root | nindent 12 }}
          ports:
            - {name: http, containerPort: 8080}
          # Until it listens, at most a minute: it plans its statements first.
          startupProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 2
            failureThreshold: 30
          # Never /readyz: it says what is missing elsewhere, and a restart repairs nothing there.
          livenessProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 5
            timeoutSeconds: 3
            failureThreshold: 2
          {{- if ne .component "worker" }}
          # It stops listening at once: the balancer has to notice before.
          lifecycle: {preStop: {sleep: {seconds: 5}}}
          {{- end }}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          {{- include "switchboard.volumeMounts" (dict "root" $root "extra" true) | nindent 10 }}
      {{- include "switchboard.volumes" (dict "root" $root "extra" true) | nindent 6 }}
      {{- with $root.Values.spreadOver }}
      topologySpreadConstraints:
        {{- range . }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "switchboard.selector" $selector | nindent 14 }}
          matchLabelKeys: [pod-template-hash]
        {{- end }}
      {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
{{- end }}
