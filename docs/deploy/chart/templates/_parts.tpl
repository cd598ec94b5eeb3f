{{- define "groundplan.labels" -}}
app.kubernetes.io/name: groundplan
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "groundplan.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "groundplan.storeSettings" -}}
- name: GROUNDPLAN_HOME
  value: /data/home
- name: GROUNDPLAN_DATABASE_URL
  valueFrom:
    secretKeyRef: {name: {{ .Values.store.secret }}, key: {{ .Values.store.urlKey }}}
- name: GROUNDPLAN_KEY
  valueFrom:
    secretKeyRef: {name: {{ .Values.store.secret }}, key: {{ .Values.store.sealingKey }}}
{{- end }}

{{- define "groundplan.temporalSettings" -}}
{{- with .Values.temporal }}
- name: GROUNDPLAN_TEMPORAL_ADDRESS
  value: {{ .address | quote }}
- name: GROUNDPLAN_TEMPORAL_NAMESPACE
  value: {{ .namespace | quote }}
{{- if .tls.enabled }}
- name: GROUNDPLAN_TEMPORAL_TLS
  value: "true"
{{- if .tls.serverName }}
- name: GROUNDPLAN_TEMPORAL_TLS_SERVER_NAME
  value: {{ .tls.serverName | quote }}
{{- end }}
{{- if .tls.secret }}
- name: GROUNDPLAN_TEMPORAL_TLS_CA
  value: /etc/groundplan/temporal/ca.crt
{{- if .tls.mutual }}
- name: GROUNDPLAN_TEMPORAL_TLS_CERT
  value: /etc/groundplan/temporal/tls.crt
- name: GROUNDPLAN_TEMPORAL_TLS_KEY
  value: /etc/groundplan/temporal/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- if .apiKey.secret }}
- name: GROUNDPLAN_TEMPORAL_API_KEY_FILE
  value: /etc/groundplan/api-key/{{ .apiKey.key }}
{{- end }}
{{- end }}
{{- end }}

{{- define "groundplan.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "groundplan.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
